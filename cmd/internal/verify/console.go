package verify

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// userAgent makes MinIO take this for a browser: it looks for the word Mozilla.
const userAgent = "Mozilla/5.0 (sluice verify)"

// console asks for everything that a person's browser will.
func (r *runner) console(s3Answers bool) {
	console := r.o.Console
	if !s3Answers {
		r.skip("the S3 address cannot be used", "redirect")
	} else {
		r.step("redirect", stepTimeout, func(ctx context.Context) (detail string, err error) {
			found, detail, err := r.redirect(ctx)
			if console == nil {
				console = found
			}
			return detail, err
		})
	}
	if console == nil {
		r.skip("where the Console is, is not known: give it with --console", "page", "login", "websocket")
		return
	}
	// An address that is for both has been reached already.
	if answers := s3Answers && sameHost(console, r.o.URL); !answers && !r.reach("console", console) {
		r.skip("the Console cannot be used", "page", "login", "websocket")
		return
	}

	if !r.step("page", stepTimeout, func(ctx context.Context) (string, error) { return r.page(ctx, console) }) {
		r.skip("no Console was found", "login", "websocket")
		return
	}
	var cookie string
	if r.o.AccessKey == "" || r.o.SecretKey == "" {
		r.skip("no keys were given", "login")
	} else {
		r.step("login", clusterTimeout, func(ctx context.Context) (detail string, err error) {
			cookie, detail, err = r.login(ctx, console)
			return detail, err
		})
	}
	r.step("websocket", stepTimeout, func(ctx context.Context) (string, error) { return r.webSocket(ctx, console, cookie) })
}

// redirect opens the S3 address as a browser does, and follows to where that is sent, in thought.
func (r *runner) redirect(ctx context.Context) (found *url.URL, detail string, err error) {
	resp, _, err := r.get(ctx, r.o.URL, "/", "User-Agent", userAgent)
	if err != nil {
		return nil, "", err
	}
	if resp.StatusCode != http.StatusTemporaryRedirect {
		if r.o.Console == nil {
			return nil, "", unasked{fmt.Sprintf("%s: a browser is not sent on, the Console seems to be off (MINIO_BROWSER)", resp.Status)}
		}
		return nil, "", fail("People who open the S3 address get an error. Is the Console off (MINIO_BROWSER=off), or does something between answer for the nodes?",
			"%s, want 307 to the Console", resp.Status)
	}
	location := resp.Header.Get("Location")
	found, err = r.o.URL.Parse(location)
	if err != nil || found.Host == "" || found.Scheme != "http" && found.Scheme != "https" {
		return nil, "", fail("Set MINIO_BROWSER_REDIRECT_URL on all nodes to the Console's URL.", "307 to %q, which is no URL of a page", location)
	}
	detail = fmt.Sprintf("307 to %s", found)
	switch {
	case r.o.Console != nil && !sameURL(found, r.o.Console):
		return found, detail, fail(fmt.Sprintf("Set MINIO_BROWSER_REDIRECT_URL=%s on all nodes. If it is unset, a node guesses: the name "+
			"that it was asked by, and its own Console port.", r.o.Console), "307 to %s, want %s", found, r.o.Console)
	case r.o.URL.Scheme == "https" && found.Scheme == "http":
		return found, detail, noted{"Browsers are sent from https to plain http. If TLS ends at the balancer, set MINIO_BROWSER_REDIRECT_URL on all nodes to the https URL of the Console."}
	}
	return found, detail, nil
}

// page asks for the page that a browser loads first.
func (r *runner) page(ctx context.Context, console *url.URL) (string, error) {
	resp, body, err := r.get(ctx, console, "/", "User-Agent", userAgent)
	if err != nil {
		return "", err
	}
	switch {
	case resp.StatusCode == http.StatusOK && isPage(resp):
		return fmt.Sprintf("%s, %s", resp.Status, titleOf(body)), nil
	case strings.Contains(body, "HTTP request to an HTTPS server"):
		return "", fail("TLS ends at the nodes. Use https:// in --console and in MINIO_BROWSER_REDIRECT_URL.", "%s: the node speaks TLS", resp.Status)
	case resp.StatusCode == http.StatusTemporaryRedirect, strings.Contains(resp.Header.Get("Content-Type"), "xml"):
		return "", fail("This is an S3 port: the Console has one of its own (--console-address on the nodes), and a listener or a route of its own here.",
			"%s, from S3 and not from the Console", resp.Status)
	}
	return "", fail("The Console should answer here with a page. Is --console right, and does this listener's pool have the nodes' Console port?",
		"%s, %q", resp.Status, resp.Header.Get("Content-Type"))
}

func titleOf(page string) string {
	_, rest, _ := strings.Cut(page, "<title>")
	title, _, found := strings.Cut(rest, "</title>")
	if !found {
		return "a page without a title"
	}
	return fmt.Sprintf("%q", title)
}

// login opens a session, as the login form does, and returns its cookie.
func (r *runner) login(ctx context.Context, console *url.URL) (cookie, detail string, err error) {
	payload, err := json.Marshal(map[string]string{"accessKey": r.o.AccessKey, "secretKey": r.o.SecretKey})
	if err != nil {
		return "", "", err
	}
	resp, body, err := r.send(ctx, http.MethodPost, console.JoinPath("api/v1/login"), strings.NewReader(string(payload)),
		"User-Agent", userAgent, "Content-Type", "application/json")
	if err != nil {
		return "", "", err
	}
	for _, c := range resp.Cookies() {
		if c.Name == "token" && resp.StatusCode/100 == 2 {
			return "token=" + c.Value, resp.Status, nil
		}
	}
	switch {
	case resp.StatusCode == http.StatusNotFound, resp.StatusCode == http.StatusMethodNotAllowed:
		return "", "", unasked{fmt.Sprintf("%s: this Console has no login of the kind that is known here", resp.Status)}
	case resp.StatusCode == http.StatusUnauthorized, resp.StatusCode == http.StatusForbidden:
		return "", "", fail("If the steps with S3 passed, the keys are good: the Console wants those of a user, not every access key. If only "+
			"some logins fail, the nodes cannot all reach MINIO_SERVER_URL, which is where a Console checks a login.", "%s: %.200q", resp.Status, body)
	case resp.StatusCode >= 500:
		return "", "", fail("A Console checks a login at MINIO_SERVER_URL. If that is this balancer, every node must be able to reach it by that name, "+
			"must be let in (allow, deny), and must trust its certificate (certs-dir/CAs).", "%s: %.200q", resp.Status, body)
	}
	return "", "", fail("MinIO's Console does not answer a login like that. Is something else at this address?", "%s: %.200q", resp.Status, body)
}

// webSocket asks for the upgrade that the Console's lists of objects come through. That is all: the
// connection is closed as soon as it is there.
func (r *runner) webSocket(ctx context.Context, console *url.URL, cookie string) (string, error) {
	nonce := make([]byte, 16)
	rand.Read(nonce)
	resp, err := r.upgrade(ctx, console, cookie, base64.StdEncoding.EncodeToString(nonce))
	if err != nil {
		return "", err
	}
	switch resp.StatusCode {
	case http.StatusSwitchingProtocols:
		return "101, /ws/objectManager", nil
	case http.StatusUnauthorized, http.StatusForbidden:
		return fmt.Sprintf("%s: the Console was reached and wants a login first", resp.Status), nil
	}
	return "", fail("Without a WebSocket the Console shows every bucket empty. A proxy on the way that speaks HTTP has to be told to pass on upgrades; Sluice does not see them.",
		"%s, want 101", resp.Status)
}

// upgrade asks for a WebSocket, RFC 6455 section 4.1.
func (r *runner) upgrade(ctx context.Context, console *url.URL, cookie, key string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, console.JoinPath("ws/objectManager").String(), nil)
	if err != nil {
		return nil, err
	}
	for name, value := range map[string]string{
		"User-Agent": userAgent, "Origin": console.Scheme + "://" + console.Host,
		"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": key,
	} {
		req.Header.Set(name, value)
	}
	if cookie != "" {
		req.Header.Set("Cookie", cookie)
	}
	resp, err := r.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	return resp, resp.Body.Close()
}

// sameURL tells whether two URLs lead to the same page, however they are written.
func sameURL(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && sameHost(a, b) && strings.Trim(a.Path, "/") == strings.Trim(b.Path, "/")
}

func sameHost(a, b *url.URL) bool {
	return strings.EqualFold(a.Hostname(), b.Hostname()) && portOf(a) == portOf(b)
}
