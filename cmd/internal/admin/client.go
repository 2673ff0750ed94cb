package admin

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Client asks the API of a running Sluice. Make one with [NewClient].
//
// It is safe for concurrent use.
type Client struct {
	address string // as it was given, for messages
	base    string
	token   string
	http    *http.Client
}

// NewClient makes a client of the API at an address as in admin.listen: host:port, or "unix:/path". An
// address without a host, or with that of all interfaces, is taken for this machine's. The token may be
// empty.
func NewClient(address, token string) (*Client, error) {
	t := &http.Transport{ResponseHeaderTimeout: questionWait + 5*time.Second, MaxIdleConns: 4, Proxy: nil}
	c := &Client{address: address, token: token, http: &http.Client{Transport: t}}
	dialer := net.Dialer{Timeout: 5 * time.Second}
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", path)
		}
		c.base = "http://localhost"
		return c, nil
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("admin address %q: must be host:port or unix:/path", address)
	}
	switch host {
	case "", "0.0.0.0":
		host = "127.0.0.1"
	case "::":
		host = "::1"
	}
	t.DialContext = dialer.DialContext
	c.base = "http://" + net.JoinHostPort(host, port)
	return c, nil
}

// Close lets idle connections go.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Refused is the error of a request that the server answered with a no.
type Refused struct {
	Status int // of HTTP
	Answer Error
}

// Error is what the server said, and its hint.
func (e *Refused) Error() string {
	if e.Answer.Hint == "" {
		return e.Answer.Error
	}
	return e.Answer.Error + "; " + e.Answer.Hint
}

// Status asks for all there is to know but the sessions.
func (c *Client) Status(ctx context.Context) (Status, error) {
	return ask[Status](ctx, c, http.MethodGet, "/api/v1/status")
}

// History asks for the samples of the last minutes.
func (c *Client) History(ctx context.Context) (History, error) {
	return ask[History](ctx, c, http.MethodGet, "/api/v1/history")
}

// Sessions asks for the sessions that fit a query: listener, route, pool, node, phase, client, search, min_age,
// min_idle, sort, limit and after, as GET /api/v1/sessions takes them.
func (c *Client) Sessions(ctx context.Context, query url.Values) (Sessions, error) {
	return ask[Sessions](ctx, c, http.MethodGet, "/api/v1/sessions?"+query.Encode())
}

// Kill ends a session.
func (c *Client) Kill(ctx context.Context, id uint64) (Killed, error) {
	return ask[Killed](ctx, c, http.MethodDelete, "/api/v1/sessions/"+strconv.FormatUint(id, 10))
}

// KillNode ends all sessions of a node.
func (c *Client) KillNode(ctx context.Context, pool, node string) (Killed, error) {
	return ask[Killed](ctx, c, http.MethodDelete, "/api/v1/sessions?"+url.Values{"pool": {pool}, "node": {node}}.Encode())
}

// SetNode tells a node to drain, to be ready, or to be in maint. Only drain can be refused, and forced.
func (c *Client) SetNode(ctx context.Context, pool, node, word string, force bool) (NodeChange, error) {
	path := "/api/v1/pools/" + url.PathEscape(pool) + "/nodes/" + url.PathEscape(node) + "/" + word
	if force {
		path += "?force=true"
	}
	return ask[NodeChange](ctx, c, http.MethodPost, path)
}

// AskDrain asks what draining a node would meet, and changes nothing.
func (c *Client) AskDrain(ctx context.Context, pool, node string) (DrainOutlook, error) {
	return ask[DrainOutlook](ctx, c, http.MethodGet, "/api/v1/pools/"+url.PathEscape(pool)+"/nodes/"+url.PathEscape(node)+"/drain")
}

// Reload has the configuration file read again.
func (c *Client) Reload(ctx context.Context) (Reload, error) {
	return ask[Reload](ctx, c, http.MethodPost, "/api/v1/reload")
}

// Drain begins the end of the process; it takes sessions for as long as grace.
func (c *Client) Drain(ctx context.Context, grace time.Duration) (DrainBegun, error) {
	return ask[DrainBegun](ctx, c, http.MethodPost, "/api/v1/drain?grace="+grace.String())
}

// Follow calls f for each event: those that are remembered from id on, then those that come, until ctx ends,
// f returns an error, or the connection is lost.
func (c *Client) Follow(ctx context.Context, id uint64, f func(Event) error) error {
	path := "/api/v1/events"
	if id > 0 {
		path += "?last_event_id=" + strconv.FormatUint(id, 10)
	}
	resp, err := c.send(ctx, http.MethodGet, path)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		data, ok := bytes.CutPrefix(lines.Bytes(), []byte("data: "))
		if !ok {
			continue
		}
		var ev Event
		if err := json.Unmarshal(data, &ev); err != nil {
			return fmt.Errorf("admin %s: an event that is none: %w", c.address, err)
		}
		if err := f(ev); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if lines.Err() != nil {
		return fmt.Errorf("admin %s: %w", c.address, lines.Err())
	}
	return fmt.Errorf("admin %s: %w", c.address, io.ErrUnexpectedEOF)
}

// maxAnswer bounds what a client reads: ten thousand sessions have some megabytes.
const maxAnswer = 64 << 20

func ask[T any](ctx context.Context, c *Client, method, path string) (answer T, err error) {
	resp, err := c.send(ctx, method, path)
	if err != nil {
		return answer, err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(&answer); err != nil {
		return answer, fmt.Errorf("admin %s: the answer to %s %s is not what a Sluice says: %w", c.address, method, path, err)
	}
	return answer, nil
}

// send asks; an answer that is a no comes as a [Refused]. The caller closes the body.
func (c *Client) send(ctx context.Context, method, path string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, nil)
	if err != nil {
		return nil, err
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if ue, ok := errors.AsType[*url.Error](err); ok {
			err = ue.Err
		}
		return nil, fmt.Errorf("admin %s: %w", c.address, err)
	}
	if resp.StatusCode < 300 {
		return resp, nil
	}
	defer resp.Body.Close()
	no := &Refused{Status: resp.StatusCode}
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if json.Unmarshal(body, &no.Answer) != nil || no.Answer.Error == "" {
		no.Answer = Error{Error: fmt.Sprintf("admin %s: %s %s: status %s, which no Sluice says", c.address, method, path, resp.Status)}
	}
	return nil, no
}
