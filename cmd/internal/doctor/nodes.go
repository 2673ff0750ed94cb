package doctor

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/sluicelb/sluice/configs"
	"github.com/sluicelb/sluice/pool"
)

// nodeReading is what a node of a pool said. Nothing of it is trusted: it is text from outside.
type nodeReading struct {
	pool, name string
	setupErr   error         // that it could not be asked, for the files of its pool
	dialErr    error         // that it cannot be reached where sessions go
	took       time.Duration // to connect
	path       pathReading
	sni        string // a name that passthrough listeners send there; "": none
	helloErr   error  // that clients who ask for it get no TLS

	asked  string // host:port that questions went to: that of the checks; "" if no HTTP is spoken there
	tls    bool   // they went over TLS
	minio  bool   // its check says that it is MinIO
	askErr error  // that there is no answer

	status      int
	body        string
	server      string        // the header Server
	notJoined   string        // the header X-Minio-Server-Status
	skew        time.Duration // its clock before ours; what a second of Date hides is taken off
	leaf        *x509.Certificate
	verifyErr   error  // that its certificate is not trusted, where the configuration asks for that
	version     string // "" if it keeps that to itself
	redirect    int    // status of what a browser gets, 0 if it was not asked
	destination string // the header Location
}

// Bounds of asking.
const (
	atOnce       = 16
	maxBody      = 4 << 10
	maxMetrics   = 1 << 20
	asksAs       = "sluice-doctor"
	browser      = "Mozilla/5.0 (sluice doctor)" // MinIO looks for the word Mozilla, and sends browsers on
	askedHost    = "sluice-doctor.invalid"       // a redirect that names it was guessed from the question
	liveQuestion = "/minio/health/live"
)

// askNodes asks every node of every pool, some of them at the same time. The order is that of the configuration.
func askNodes(ctx context.Context, cfg *configs.Config) []*nodeReading {
	var all []*nodeReading
	var wg sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	names := passthroughNames(cfg)
	for _, p := range cfg.Pools {
		trust, err := pool.ReadTLS(&p.TLS)
		for _, name := range p.Nodes {
			r := &nodeReading{pool: p.Name, name: name, minio: p.Check.Type == configs.CheckMinIO, sni: names[p.Name]}
			all = append(all, r)
			slots <- struct{}{}
			wg.Go(func() {
				defer func() { <-slots }()
				if r.setupErr = err; err == nil {
					newAsker(p, trust, r).ask(ctx)
				}
			})
		}
	}
	wg.Wait()
	return all
}

// passthroughNames is for each pool a name by which clients reach its nodes' own TLS. Patterns are none.
func passthroughNames(cfg *configs.Config) map[string]string {
	names := map[string]string{}
	for _, ln := range cfg.Listeners {
		if ln.TLS != configs.Passthrough {
			continue
		}
		for _, route := range ln.Routes {
			for _, name := range route.SNI {
				if names[route.Pool] == "" && !strings.HasPrefix(name, "*") {
					names[route.Pool] = name
				}
			}
		}
	}
	return names
}

// asker asks one node.
type asker struct {
	*nodeReading
	cfg    *configs.Pool
	host   string
	dialer net.Dialer
	trust  *tls.Config
	client http.Transport
	scheme string
}

func newAsker(p *configs.Pool, trust *tls.Config, r *nodeReading) *asker {
	a := &asker{nodeReading: r, cfg: p, trust: trust, scheme: "http"}
	host, port, _ := cutPort(r.name)
	a.host = host
	if ip, err := netip.ParseAddr(p.Source); err == nil {
		a.dialer.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(ip, 0))
	}
	a.dialer.SetMultipathTCP(false)
	if p.Check.Type == configs.CheckMinIO || p.Check.Type == configs.CheckHTTP {
		switch {
		case p.Check.Port > 0:
			port = p.Check.Port
		case p.Check.Type == configs.CheckMinIO && port == 9001:
			port = 9000 // as the checks do: a Console has no health endpoint
		}
		r.asked = net.JoinHostPort(host, strconv.Itoa(port))
		r.tls = p.Check.TLS || p.TLS.Enabled
	}
	if r.tls {
		a.scheme = "https"
	}
	a.client = http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return a.dial(ctx, r.asked) },
		// What is wrong with a certificate is judged, and is no reason to learn nothing else.
		TLSClientConfig:        &tls.Config{InsecureSkipVerify: true, ServerName: a.serverName(), Certificates: trust.Certificates},
		DisableKeepAlives:      true,
		MaxResponseHeaderBytes: 64 << 10,
	}
	return a
}

func (a *asker) serverName() string {
	return cmp.Or(a.cfg.Check.ServerName, a.cfg.TLS.ServerName, a.host)
}

// dial connects and sends the PROXY header that says "nobody", if the nodes want one: section 2.1 and 2.2 of the
// PROXY protocol's specification.
func (a *asker) dial(ctx context.Context, address string) (net.Conn, error) {
	conn, err := a.dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	header := ""
	switch a.cfg.Proxy {
	case configs.ProxyV1:
		header = "PROXY UNKNOWN\r\n"
	case configs.ProxyV2, configs.ProxyPassthrough:
		header = "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"
	}
	if _, err := io.WriteString(conn, header); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// ask reads all there is to read.
func (a *asker) ask(ctx context.Context) {
	a.reach(ctx)
	if a.dialErr != nil || a.asked == "" {
		return
	}
	question := liveQuestion
	if !a.minio {
		question = cmp.Or(a.cfg.Check.Path, "/")
	}
	before := time.Now()
	resp, body, err := a.get(ctx, question, a.cfg.Check.Host, asksAs, maxBody)
	if a.askErr = err; err != nil {
		return
	}
	a.status, a.body, a.server = resp.StatusCode, body, resp.Header.Get("Server")
	a.notJoined = resp.Header.Get("X-Minio-Server-Status")
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		a.skew = skewBetween(date, before, time.Now())
	}
	if a.leaf == nil && resp.TLS != nil {
		a.leaf = resp.TLS.PeerCertificates[0]
		a.verifyErr = a.verify(resp.TLS.PeerCertificates)
	}
	if !a.minio || a.status != http.StatusOK {
		return
	}
	// Open only with MINIO_PROMETHEUS_AUTH_TYPE=public; nothing else tells strangers.
	if resp, body, err := a.get(ctx, "/minio/v2/metrics/node", "", asksAs, maxMetrics); err == nil && resp.StatusCode == http.StatusOK {
		a.version = findVersion(body)
	}
	if resp, _, err := a.get(ctx, "/", askedHost, browser, maxBody); err == nil {
		a.redirect, a.destination = resp.StatusCode, resp.Header.Get("Location")
	}
}

// reach connects to where sessions go.
func (a *asker) reach(ctx context.Context) {
	ctx, stop := context.WithTimeout(ctx, askTimeout)
	defer stop()
	began := time.Now()
	conn, err := a.dial(ctx, a.name)
	if a.dialErr, a.took = err, time.Since(began); err != nil {
		return
	}
	defer conn.Close()
	if tcp, ok := conn.(*net.TCPConn); ok {
		a.path = readPath(tcp)
	}
	if a.sni == "" {
		return
	}
	client := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, ServerName: a.sni}) // whom clients trust is not known here
	if a.helloErr = client.HandshakeContext(ctx); a.helloErr == nil {
		a.leaf = client.ConnectionState().PeerCertificates[0]
		a.verifyErr = a.leaf.VerifyHostname(a.sni)
	}
}

// get asks on a connection of its own. The body is at most so many bytes of what came.
func (a *asker) get(ctx context.Context, path, host, agent string, most int64) (*http.Response, string, error) {
	ctx, stop := context.WithTimeout(ctx, askTimeout)
	defer stop()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.scheme+"://"+a.asked+path, nil)
	if err != nil {
		return nil, "", err
	}
	req.Host, req.Close = host, true
	req.Header.Set("User-Agent", agent)
	resp, err := a.client.RoundTrip(req)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, most))
	return resp, string(body), err
}

// verify judges a chain as sessions and checks do, which is not at all where the configuration says insecure.
func (a *asker) verify(chain []*x509.Certificate) error {
	if a.cfg.TLS.Insecure {
		return nil
	}
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{DNSName: a.serverName(), Roots: a.trust.RootCAs, Intermediates: between})
	return err
}

// skewBetween is how far a clock was before ours at some time between two looks at ours: 0 where it may have been
// right, given that Date leaves out what is less than a second.
func skewBetween(date, before, after time.Time) time.Duration {
	switch {
	case date.After(after):
		return date.Sub(after)
	case date.Add(time.Second).Before(before):
		return date.Add(time.Second).Sub(before)
	}
	return 0
}

// findVersion reads minio_software_version_info{server="...",version="..."} of the metrics.
func findVersion(metrics string) string {
	for line := range strings.Lines(metrics) {
		if labels, ok := strings.CutPrefix(line, "minio_software_version_info{"); ok {
			_, rest, _ := strings.Cut(labels, `version="`)
			version, _, _ := strings.Cut(rest, `"`)
			return version
		}
	}
	return ""
}
