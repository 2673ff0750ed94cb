package pool

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluicelb/sluice/configs"
)

// Bounds of what a node may answer to a check.
const (
	maxCheckHeader = 16 << 10 // MinIO's health endpoints send a few hundred bytes
	maxCheckBody   = 256      // read only from an answer of 400, to say why
	maxCheckText   = 200      // of a result's text
)

// MinIO's ports: the Console has no health endpoint of its own, the S3 API of the same process has.
const (
	minioPort   = 9000
	consolePort = 9001
)

// minioStatus is set by a MinIO node that answers 200 to /minio/health/live before it can serve.
const minioStatus = "X-Minio-Server-Status"

// probes is how the nodes of one pool are checked: its [configs.Check] with everything parsed and read.
type probes struct {
	cfg    *configs.Check
	pool   *configs.Pool
	url    url.URL     // http and minio: scheme, path and query
	tls    *tls.Config // nil: plain; without a server name
	local  net.Addr    // nil: the kernel's choice
	header func() []byte
	fake   func(ctx context.Context, n *Node) (Verdict, string) // tests only
}

// newProbes reads what the checks of a pool need. It returns nil if the pool's nodes are not checked.
func newProbes(p *configs.Pool, header func(configs.ProxyOut) []byte) (*probes, error) {
	c := &p.Check
	if c.Type == configs.CheckNone {
		return nil, nil
	}
	ps := &probes{cfg: c, pool: p}
	if header != nil && p.Proxy != configs.ProxyOff && p.Proxy != "" {
		ps.header = func() []byte { return header(p.Proxy) }
	}
	if a, err := netip.ParseAddr(p.Source); err == nil {
		ps.local = net.TCPAddrFromAddrPort(netip.AddrPortFrom(a, 0))
	}

	encrypted := c.Type == configs.CheckTLS || c.TLS || p.TLS.Enabled
	switch c.Type {
	case configs.CheckTCP:
		encrypted = false
	case configs.CheckTLS:
	case configs.CheckHTTP, configs.CheckMinIO:
		u, err := url.ParseRequestURI(c.Path)
		if err != nil || !strings.HasPrefix(c.Path, "/") {
			return nil, fmt.Errorf("check.path %q: must be a path that begins with /", c.Path)
		}
		ps.url = url.URL{Scheme: "http", Path: u.Path, RawPath: u.RawPath, RawQuery: u.RawQuery}
		if encrypted {
			ps.url.Scheme = "https"
		}
	default:
		return nil, fmt.Errorf("check.type %q: not known (minio, http, tcp, tls or none)", c.Type)
	}
	if !encrypted {
		return ps, nil
	}
	var err error
	ps.tls, err = ReadTLS(&p.TLS)
	return ps, err
}

// probe asks one node. It is immutable; a reload gives the node another one.
type probe struct {
	*probes
	node   *Node
	target netip.AddrPort
	tls    *tls.Config
	client *http.Transport // http and minio
	req    *http.Request
}

// probe makes the check of one node; nil if there is nothing to check.
func (ps *probes) probe(n *Node) *probe {
	if ps == nil || !n.Addr().IsValid() {
		return nil
	}
	pr := &probe{probes: ps, node: n}
	pr.target = netip.AddrPortFrom(n.Addr().Addr(), checkPort(ps.cfg, n.Addr().Port()))
	if ps.tls != nil {
		pr.tls = ps.tls.Clone()
		pr.tls.ServerName = firstOf(ps.cfg.ServerName, ps.pool.TLS.ServerName, n.host)
	}
	if ps.url.Scheme != "" {
		pr.client = &http.Transport{
			DialContext:            func(ctx context.Context, _, _ string) (net.Conn, error) { return pr.dial(ctx) },
			TLSClientConfig:        pr.tls,
			DisableKeepAlives:      true,
			DisableCompression:     true,
			MaxResponseHeaderBytes: maxCheckHeader,
		}
		u := ps.url
		u.Host = net.JoinHostPort(n.host, strconv.Itoa(int(pr.target.Port())))
		pr.req = &http.Request{
			Method: http.MethodGet, URL: &u, Host: ps.cfg.Host, Close: true,
			Header: http.Header{"User-Agent": {"sluice-check"}},
		}
	}
	return pr
}

func firstOf(names ...string) string {
	i := slices.IndexFunc(names, func(s string) bool { return s != "" })
	return names[i] // the last is never empty
}

// checkPort is where a node is asked: the configured port, else its own, but not the Console's.
func checkPort(c *configs.Check, own uint16) uint16 {
	switch {
	case c.Port > 0:
		return uint16(c.Port)
	case c.Type == configs.CheckMinIO && own == consolePort:
		return minioPort
	}
	return own
}

// minio reports whether the check is of that type, so that the node may be asked what only MinIO answers.
func (pr *probe) minio() bool { return pr.cfg.Type == configs.CheckMinIO }

// sameQuestion reports whether other asks what pr does, so that a reload need not ask again at once.
func (pr *probe) sameQuestion(other *probe) bool {
	return pr != nil && other != nil && reflect.DeepEqual(pr.cfg, other.cfg) &&
		pr.pool.TLS == other.pool.TLS && pr.pool.Proxy == other.pool.Proxy && pr.pool.Source == other.pool.Source
}

// ask runs one check within the configured timeout.
func (pr *probe) ask(ctx context.Context) Result {
	ctx, cancel := context.WithTimeout(ctx, pr.cfg.Timeout)
	defer cancel()
	r := Result{Time: time.Now()}
	r.Verdict, r.Text = pr.run(ctx)
	r.Took = time.Since(r.Time)
	if r.Verdict == Fail && r.Took > lateness(pr.cfg.Timeout) {
		r.Verdict, r.Text = Late, fmt.Sprintf("not judged, this machine was late: %s", r.Text)
	}
	if len(r.Text) > maxCheckText {
		r.Text = strings.ToValidUTF8(r.Text[:maxCheckText], "") + "..."
	}
	return r
}

func (pr *probe) run(ctx context.Context) (Verdict, string) {
	switch {
	case pr.fake != nil:
		return pr.fake(ctx, pr.node)
	case pr.client != nil:
		return pr.get(ctx)
	case pr.tls != nil:
		return pr.handshake(ctx)
	}
	conn, err := pr.dial(ctx)
	if err != nil {
		return Fail, pr.explain(err)
	}
	conn.Close()
	return Pass, "connected"
}

// dial connects to the node and sends the PROXY header, if the pool's nodes want one. The caller closes
// the conn.
func (pr *probe) dial(ctx context.Context) (net.Conn, error) {
	d := net.Dialer{LocalAddr: pr.local, KeepAlive: -1}
	d.SetMultipathTCP(false)
	conn, err := d.DialContext(ctx, "tcp", pr.target.String())
	if err != nil || pr.header == nil {
		return conn, err
	}
	// It fits the send buffer of a fresh socket, so this does not wait.
	if _, err := conn.Write(pr.header()); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

func (pr *probe) handshake(ctx context.Context) (Verdict, string) {
	conn, err := pr.dial(ctx)
	if err != nil {
		return Fail, pr.explain(err)
	}
	defer conn.Close()
	t := tls.Client(conn, pr.tls)
	if err := t.HandshakeContext(ctx); err != nil {
		return Fail, pr.explain(err)
	}
	return Pass, tls.VersionName(t.ConnectionState().Version)
}

func (pr *probe) get(ctx context.Context) (Verdict, string) {
	resp, err := pr.client.RoundTrip(pr.req.WithContext(ctx))
	if err != nil {
		return Fail, pr.explain(err)
	}
	defer resp.Body.Close()
	if pr.cfg.Type == configs.CheckMinIO {
		return judgeMinIO(resp, pr.tls != nil)
	}
	return judgeHTTP(resp, pr.cfg.Status, pr.tls != nil)
}

// judgeMinIO reads the answer of MinIO's /minio/health/live. The node is fit if it says 200 and nothing more;
// while it starts it says 200 as well, but with [minioStatus].
func judgeMinIO(resp *http.Response, encrypted bool) (Verdict, string) {
	status := resp.Header.Values(minioStatus)
	switch {
	case resp.StatusCode == http.StatusTooManyRequests, resp.StatusCode == http.StatusServiceUnavailable:
		return Busy, "status " + strconv.Itoa(resp.StatusCode)
	case resp.StatusCode != http.StatusOK:
		return Fail, statusText(resp, encrypted)
	case len(status) > 0:
		return Fail, fmt.Sprintf("status 200, but %s: %.40q", strings.ToLower(minioStatus), status[0])
	}
	return Pass, "status 200"
}

// judgeHTTP wants one of the statuses; without any, what a browser would take for success.
func judgeHTTP(resp *http.Response, want []int, encrypted bool) (Verdict, string) {
	got := resp.StatusCode
	if slices.Contains(want, got) || len(want) == 0 && got >= 200 && got < 400 {
		return Pass, "status " + strconv.Itoa(got)
	}
	return Fail, statusText(resp, encrypted)
}

func statusText(resp *http.Response, encrypted bool) string {
	text := "status " + strconv.Itoa(resp.StatusCode)
	if resp.StatusCode != http.StatusBadRequest || encrypted {
		return text
	}
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxCheckBody)) // what came is enough
	if strings.Contains(string(body), "HTTPS server") {
		return text + ": the node speaks TLS (check.tls = true)"
	}
	return text
}

// explain says what went wrong without repeating the address, and what would be right where that is known.
func (pr *probe) explain(err error) string {
	timeout := errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded)
	if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
		timeout = true
	}
	if timeout {
		return fmt.Sprintf("no answer within %v", pr.cfg.Timeout)
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return "the node does not speak TLS"
	}
	if ce, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return fmt.Sprintf("certificate: %v (pool.tls.ca, check.server_name %q)", ce.Err, pr.tls.ServerName)
	}
	if oe, ok := errors.AsType[*net.OpError](err); ok {
		return oe.Err.Error()
	}
	return err.Error()
}
