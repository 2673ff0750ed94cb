package l4

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/sluicelb/sluice/configs"
)

// exchange sends and receives a byte, which is when tickets have come, and ends the session.
func exchange(t *testing.T, c *tls.Conn) {
	t.Helper()
	c.Write([]byte("x"))
	if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	c.Close()
}

// Clients that come back resume: again and again, at another listener of the process, after a reload, by both
// versions. Not where other certificates are asked of them.
func TestResumption(t *testing.T) {
	leakCheck(t)
	ca := newAuthority(t, "test CA")
	clients, strangers := newAuthority(t, "clients"), newAuthority(t, "strangers")
	clientCA, strangerCA := files(t).Cert, files(t).Cert
	replaceFile(t, clientCA, certPEM(clients.cert))
	replaceFile(t, strangerCA, certPEM(strangers.cert))
	cert := ca.issue("ecdsa", nil, site).written(t)
	node := startNode(t, echo)
	config := func() *configs.Config {
		cfg := terminating([]*configs.Certificate{cert}, node)
		for name, auth := range map[string]*configs.ClientAuth{
			"other": nil, "asks": {CA: clientCA, Mode: configs.ClientAuthRequest},
			"wants": {CA: clientCA, Mode: configs.ClientAuthRequire}, "distrusts": {CA: strangerCA, Mode: configs.ClientAuthRequire},
		} {
			ln := *cfg.Listeners[0]
			ln.Name, ln.ClientAuth = name, auth
			cfg.Listeners = append(cfg.Listeners, &ln)
		}
		return cfg
	}
	srv := serve(t, config())
	known := clients.issue("ecdsa", &x509.Certificate{Subject: pkix.Name{CommonName: "alice", Organization: []string{"Example"}}}).pair()
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			client := ca.client()
			client.MaxVersion, client.ClientSessionCache = version, tls.NewLRUClientSessionCache(10)
			client.Certificates = []tls.Certificate{known}
			resumes := func(listener string, want bool) {
				t.Helper()
				c := secure(t, srv.addr(listener), client)
				exchange(t, c)
				if got := c.ConnectionState().DidResume; got != want {
					t.Errorf("%s: resumed %v, want %v", listener, got, want)
				}
			}
			resumes("s3", false)
			resumes("s3", true)
			resumes("s3", true)
			resumes("other", true)
			if err := srv.Apply(config()); err != nil {
				t.Fatal(err)
			}
			resumes("other", true)
			resumes("wants", false) // a ticket of somebody unknown
			resumes("wants", true)
			resumes("asks", false) // as much as is known of this client, it was asked in another way
			resumes("s3", false)   // where nobody is asked, nobody's certificate counts

			// A ticket does not carry a client to where its authority is not trusted.
			client.ClientSessionCache = tls.NewLRUClientSessionCache(10)
			resumes("wants", false)
			c := tls.Client(dial(t, srv.addr("distrusts")), client)
			err := c.Handshake()
			if err == nil {
				_, err = c.Read(make([]byte, 1)) // by TLS 1.3 the server has the last word
			}
			if err == nil {
				t.Error("a client of another authority got in")
			}
		})
	}
	for _, r := range srv.wait(1) {
		if r.Listener == "wants" && r.Subject != "CN=alice,O=Example" {
			t.Errorf("%s: got subject %q", r.Listener, r.Subject)
		}
	}
	for _, ln := range srv.Listeners() {
		all, resumed := ln.Handshakes()
		t.Logf("%s: %d handshakes, %d of them resumed", ln.Name(), all, resumed)
		if ln.Name() == "other" && (all != 4 || resumed != 4) {
			t.Errorf("other: got %d handshakes and %d resumed, want 4 and 4", all, resumed)
		}
	}
}

// Nearly all of many clients that come back resume, while others come for the first time.
func TestReconnectingClientsResume(t *testing.T) {
	leakCheck(t)
	ca := newAuthority(t, "test CA")
	cfg := terminating([]*configs.Certificate{ca.issue("ecdsa", nil, site).written(t)}, startNode(t, echo))
	srv := serve(t, cfg)
	const clients, visits = 50, 4
	resumed := 0
	for i := range clients {
		client := ca.client()
		client.ClientSessionCache = tls.NewLRUClientSessionCache(1)
		for visit := range visits {
			if i%10 == 9 && visit == 1 {
				if err := srv.Apply(cfg); err != nil {
					t.Fatal(err)
				}
			}
			c := secure(t, srv.addr("s3"), client)
			exchange(t, c)
			if c.ConnectionState().DidResume {
				resumed++
			}
		}
	}
	if want := clients * (visits - 1); resumed < want*95/100 {
		t.Errorf("%d of %d visits resumed, want 95 of 100", resumed, want)
	}
}

// Keys rotate, and what was sealed with an old one is opened for a bounded time.
func TestTicketKeysRotate(t *testing.T) {
	now := time.Now()
	keys := newTickets(now)
	cfg := &tls.Config{Certificates: []tls.Certificate{newAuthority(t, "test CA").issue("ecdsa", nil, site).pair()}}
	keys.use(cfg, []byte("realm"))
	sealed := ticket(t, cfg)
	opens := func() bool {
		state, err := cfg.UnwrapSession(sealed, tls.ConnectionState{})
		if err != nil {
			t.Fatal(err)
		}
		return state != nil
	}
	first := keys.keys[0]
	for age := time.Duration(0); age <= 48*time.Hour; age += time.Hour {
		keys.rotate(now.Add(age))
		if got, want := opens(), age < ticketKeys*ticketRotation; got != want {
			t.Errorf("after %v: opened %v, want %v", age, got, want)
		}
		if len(keys.keys) > ticketKeys {
			t.Fatalf("%d keys are kept", len(keys.keys))
		}
	}
	if keys.keys[0] == first {
		t.Error("the key is the first one still")
	}
	var elsewhere tls.Config
	keys.use(&elsewhere, []byte("another realm"))
	sealed = ticket(t, cfg)
	if state, err := elsewhere.UnwrapSession(sealed, tls.ConnectionState{}); state != nil || err != nil {
		t.Errorf("got %v, %v in another realm, want neither", state, err)
	}
}

// ticket is one that a server with this configuration gives.
func ticket(t *testing.T, cfg *tls.Config) (sealed []byte) {
	t.Helper()
	cfg = cfg.Clone()
	wrap := cfg.WrapSession
	cfg.WrapSession = func(cs tls.ConnectionState, state *tls.SessionState) (b []byte, err error) {
		sealed, err = wrap(cs, state)
		return sealed, err
	}
	near, far := net.Pipe()
	var client sync.WaitGroup
	defer client.Wait()
	defer near.Close() // ends what the client waits for
	client.Go(func() {
		c := tls.Client(far, &tls.Config{InsecureSkipVerify: true, ServerName: site, ClientSessionCache: tls.NewLRUClientSessionCache(1)})
		c.Handshake()
		c.Read(make([]byte, 1))
		c.Close()
	})
	if err := tls.Server(near, cfg).Handshake(); err != nil || sealed == nil {
		t.Fatalf("no ticket: %v", err)
	}
	return sealed
}
