//go:build interop && linux

package interop

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluicelb/sluice/cmd/internal/need"
)

// Passthrough is to be no party to TLS: whatever OpenSSL's client and server settle, or fail to, directly, they do
// through Sluice.

const byName = `
[[listener]]
name    = "edge"
address = "127.0.0.1:0"
tls     = "passthrough"
relay   = "{relay}"
pool    = "nodes"          # for the clients that ask for no name
[[listener.route]]
sni  = ["{shop}"]
pool = "nodes"
[[pool]]
name  = "nodes"
nodes = ["{node}"]
check = { type = "none" }
`

// rsaPair is a self-signed certificate with an RSA key, for the suites that need one.
func rsaPair(t *testing.T) (cert, key string) {
	t.Helper()
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "rsa.pem"), filepath.Join(dir, "rsa.key")
	output(t, need.Program(t, "openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert,
		"-subj", "/CN="+shop, "-addext", "subjectAltName=DNS:"+shop, "-days", "7")
	return cert, key
}

// opensslServer runs openssl s_server and returns its address.
func opensslServer(t *testing.T, more ...string) string {
	t.Helper()
	rsa, rsaKey := rsaPair(t)
	ecdsa := pemFile(t, issue(t, shop, shop))
	address := loopback()
	background(t, address, "openssl", append([]string{"s_server", "-accept", address, "-cert", rsa, "-key", rsaKey,
		"-dcert", ecdsa, "-dkey", ecdsa, "-groups", "X25519:P-256:ffdhe2048", "-alpn", "h2,http/1.1", "-cipher", "ALL"}, more...)...)
	return address
}

// A spoken is what is typed at openssl s_client once it has written a text so many times.
type spoken struct {
	behind string
	times  int
	text   string
}

// get is what most clients say; -ign_eof makes them wait for the answer.
var get = []spoken{{"", 0, "GET / HTTP/1.0\r\n\r\n"}}

// telling is what a verdict is made of: what was settled, and why not.
var telling = regexp.MustCompile(`^(New|Reused), .*|^(Server Temp Key|Peer signing digest|Peer signature type|ALPN protocol|No ALPN|Next protocol|` +
	`Verification|Verify return code|Early data was|Secure Renegotiation|Extended master secret|Max Early Data|Client Certificate Types|` +
	`Protocol|Cipher|OCSP response|Compression|Expansion|Post-Handshake|HTTP/1.0 200|RENEGOTIATING|KEYUPDATE|Acceptable client).*|SSL alert number \d+|SSL routines:.*`)

// verdict runs openssl s_client and returns what came of it, as text to be compared.
func verdict(t *testing.T, address string, says []spoken, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	// By lines, or what it says comes at its end, and nothing could be typed behind it.
	cmd := exec.CommandContext(ctx, need.Program(t, "stdbuf"), append([]string{"-oL", "openssl", "s_client", "-connect", address}, args...)...)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var out transcript
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for _, s := range says {
		for end := time.Now().Add(5 * time.Second); strings.Count(out.String(), s.behind) < s.times && time.Now().Before(end); {
			time.Sleep(2 * time.Millisecond)
		}
		io.WriteString(stdin, s.text)
	}
	if !slices.Contains(args, "-ign_eof") {
		stdin.Close()
	}
	cmd.Wait() // its exit code is a part of the verdict
	stdin.Close()
	if ctx.Err() != nil {
		return "it never ended"
	}
	var lines []string
	for line := range strings.Lines(out.String()) {
		if m := telling.FindString(strings.TrimSpace(line)); m != "" {
			lines = append(lines, m)
		}
	}
	return fmt.Sprintf("%s\nexit code %d", strings.Join(lines, "\n"), cmd.ProcessState.ExitCode())
}

// A transcript is a bytes.Buffer that may be read while it is written.
type transcript struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

func (tr *transcript) Write(b []byte) (int, error) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.b.Write(b)
}

func (tr *transcript) String() string {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.b.String()
}

func TestOpenSSL(t *testing.T) {
	need.Program(t, "openssl")
	client := pemFile(t, issue(t, "client one"))
	plain := opensslServer(t, "-www", "-no_dhe")
	asks := opensslServer(t, "-www", "-Verify", "1", "-CAfile", caFile(t), "-verify_return_error")
	tests := []struct {
		node string
		args string
		want string // that is in the verdict
	}{
		{plain, "", "TLSv1.3"},
		{plain, "-tls1_3", "TLSv1.3"},
		{plain, "-tls1_2", "TLSv1.2"},
		{plain, "-tls1_1 -cipher ALL@SECLEVEL=0", "SSL alert number"},
		{plain, "-no_tls1_3", "TLSv1.2"},
		{plain, "-fallback_scsv -tls1_2", "alert number 86"},
		{plain, "-tls1_3 -ciphersuites TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256"},
		{plain, "-tls1_3 -ciphersuites TLS_CHACHA20_POLY1305_SHA256", "TLS_CHACHA20_POLY1305_SHA256"},
		{plain, "-tls1_3 -ciphersuites TLS_AES_128_CCM_8_SHA256", "alert number 40"},
		{plain, "-tls1_2 -cipher ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256"},
		{plain, "-tls1_2 -cipher ECDHE-RSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305"},
		{plain, "-tls1_2 -cipher AES128-SHA", "AES128-SHA"},
		{plain, "-tls1_2 -cipher DHE-RSA-AES128-GCM-SHA256", "alert number 40"},
		{plain, "-tls1_3 -groups X25519", "Server Temp Key: X25519"},
		{plain, "-tls1_3 -groups P-256", "Server Temp Key: ECDH, prime256v1"},
		{plain, "-tls1_3 -groups ffdhe2048", "Server Temp Key: DH, 2048"},
		{plain, "-tls1_3 -groups P-521:X25519", "Server Temp Key: X25519"}, // by a HelloRetryRequest
		{plain, "-tls1_3 -groups P-521", "alert number 40"},
		{plain, "-tls1_2 -groups P-521", "New, TLSv1.2"}, // without ECDHE
		{plain, "-alpn h2", "ALPN protocol: h2"},
		{plain, "-alpn http/1.1,h2 -tls1_2", "ALPN protocol: h2"},
		{plain, "-alpn spdy/3", "No ALPN negotiated"},
		{plain, "-nextprotoneg http/1.1 -tls1_2", "TLSv1.2"},
		{plain, "-noservername", "TLSv1.3"},
		{plain, "-servername S3.Shop.TEST", "TLSv1.3"},
		{plain, "-servername " + shop + ".", "TLSv1.3"},
		{plain, "-servername other.test", "TLSv1.3"},
		{plain, "-servername 192.0.2.1", "TLSv1.3"},
		{plain, "-sigalgs ECDSA+SHA256 -tls1_2", "Peer signature type: ECDSA"},
		{plain, "-sigalgs RSA-PSS+SHA384", "Peer signing digest: SHA384"},
		{plain, "-sigalgs ECDSA+SHA512 -curves P-521 -tls1_3", "alert number 40"},
		{plain, "-status", "OCSP response: no response sent"},
		{plain, "-max_send_frag 512", "TLSv1.3"},
		{plain, "-max_send_frag 512 -alpn " + strings.Repeat("a-very-long-protocol,", 60) + "h2", "ALPN protocol: h2"}, // a hello in three records
		{plain, "-split_send_frag 64 -tls1_2", "TLSv1.2"},
		{plain, "-maxfraglen 512", "TLSv1.3"},
		{plain, "-record_padding 4096", "TLSv1.3"},
		{plain, "-no_middlebox", "TLSv1.3"},
		{plain, "-no_ticket", "TLSv1.3"},
		{plain, "-no_etm -tls1_2 -cipher AES128-SHA", "AES128-SHA"},
		{plain, "-comp -tls1_2", "Compression"},
		{plain, "-allow_no_dhe_kex -tls1_3", "TLSv1.3"},
		{plain, "-enable_pha", "TLSv1.3"},
		{plain, "-verify_return_error -verify 1", "exit code 1"},
		{asks, "", "alert number 116"},
		{asks, "-tls1_2", "alert number 40"},
		{asks, "-cert " + client + " -key " + client, "exit code 0"},
		{asks, "-cert " + client + " -key " + client + " -tls1_2", "exit code 0"},
	}
	known := map[string]string{} // the verdicts directly
	engines(t, func(t *testing.T, relay string) {
		plainEdge := start(t, byName, "relay", relay, "shop", shop, "node", plain).at["edge"]
		asksEdge := start(t, byName, "relay", relay, "shop", shop, "node", asks).at["edge"]
		for _, tt := range tests {
			args := append([]string{"-ign_eof"}, strings.Fields(tt.args)...)
			if !strings.Contains(tt.args, "-servername") && !strings.Contains(tt.args, "-noservername") {
				args = append(args, "-servername", shop)
			}
			edge := plainEdge
			if tt.node == asks {
				edge = asksEdge
			}
			directly, through := known[tt.node+tt.args], verdict(t, edge, get, args...)
			if directly == "" {
				directly = verdict(t, tt.node, get, args...)
				known[tt.node+tt.args] = directly
			}
			if directly != through {
				t.Errorf("openssl s_client %s:\ndirectly\n%s\nthrough Sluice\n%s", tt.args, directly, through)
			}
			if !strings.Contains(directly, tt.want) {
				t.Errorf("openssl s_client %s: nothing was shown, directly it has no %q:\n%s", tt.args, tt.want, directly)
			}
		}
	})
}

// What is more than one connection, or a conversation: sessions that are resumed, early data, a second handshake, new
// keys.
func TestOpenSSLSessions(t *testing.T) {
	need.Program(t, "openssl")
	early := file(t, "early", "what comes with the hello\n")
	node := opensslServer(t, "-early_data", "-client_renegotiation")
	// The end comes when all is there: of TLS 1.3 two tickets behind a full handshake, one if it is resumed.
	quit := func(behind string, times int) []spoken { return []spoken{{behind, times, "Q\n"}} }
	const ticket, established = "Max Early Data:", "Extended master secret"
	in12, in13 := []string{"-tls1_2", "-servername", shop}, []string{"-tls1_3", "-servername", shop}
	tests := []struct {
		name string
		run  func(t *testing.T, address, session string) string
		want string
	}{
		{"resumed, TLS 1.3", func(t *testing.T, address, session string) string {
			return verdict(t, address, quit(ticket, 2), append(in13, "-sess_out", session)...) +
				verdict(t, address, quit(ticket, 1), append(in13, "-sess_in", session)...)
		}, "Reused, TLSv1.3"},
		{"resumed, TLS 1.2, by ticket", func(t *testing.T, address, session string) string {
			return verdict(t, address, quit(established, 1), append(in12, "-sess_out", session)...) +
				verdict(t, address, quit(established, 1), append(in12, "-sess_in", session)...)
		}, "Reused, TLSv1.2"},
		{"resumed, TLS 1.2, by id", func(t *testing.T, address, _ string) string {
			return verdict(t, address, quit(established, 6), append(in12, "-no_ticket", "-reconnect")...)
		}, "Reused, TLSv1.2"},
		{"early data", func(t *testing.T, address, session string) string {
			return verdict(t, address, quit(ticket, 2), append(in13, "-sess_out", session)...) +
				verdict(t, address, quit(ticket, 1), append(in13, "-sess_in", session, "-early_data", early)...)
		}, "Early data was accepted"},
		{"early data twice", func(t *testing.T, address, session string) string {
			verdict(t, address, quit(ticket, 2), append(in13, "-sess_out", session)...)
			again := append(in13, "-sess_in", session, "-early_data", early)
			return verdict(t, address, quit(ticket, 1), again...) + verdict(t, address, quit(ticket, 2), again...)
		}, "Early data was rejected"}, // the second time
		{"a second handshake", func(t *testing.T, address, _ string) string {
			return verdict(t, address, []spoken{{established, 1, "R\n"}, {"verify return", 4, "Q\n"}}, in12...)
		}, "RENEGOTIATING"},
		{"new keys", func(t *testing.T, address, _ string) string {
			return verdict(t, address, []spoken{{ticket, 2, "K\n"}, {"KEYUPDATE", 1, "Q\n"}}, in13...)
		}, "KEYUPDATE"},
	}
	known := map[string]string{} // the verdicts directly
	engines(t, func(t *testing.T, relay string) {
		edge := start(t, byName, "relay", relay, "shop", shop, "node", node).at["edge"]
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				directly, through := known[tt.name], tt.run(t, edge, filepath.Join(t.TempDir(), "session"))
				if directly == "" {
					directly = tt.run(t, node, filepath.Join(t.TempDir(), "session"))
					known[tt.name] = directly
				}
				if directly != through {
					t.Errorf("directly\n%s\nthrough Sluice\n%s", directly, through)
				}
				if !strings.Contains(directly, tt.want) {
					t.Errorf("nothing was shown, directly it has no %q:\n%s", tt.want, directly)
				}
			})
		}
	})
}
