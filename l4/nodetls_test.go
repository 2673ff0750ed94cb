package l4

import (
	"crypto/tls"
	"io"
	"net"
	"testing"
	"time"

	"github.com/sluicelb/sluice/configs"
)

// tlsNode is a node that speaks TLS and returns everything. It tells of every handshake that succeeded.
func tlsNode(t *testing.T, cfg *tls.Config) (addr string, shook chan tls.ConnectionState) {
	shook = make(chan tls.ConnectionState, 100)
	return startNode(t, func(c *net.TCPConn) {
		s := tls.Server(c, cfg)
		if s.Handshake() != nil {
			return
		}
		shook <- s.ConnectionState()
		io.Copy(s, s)
		s.CloseWrite()
	}), shook
}

// How nodes are spoken to by TLS: whom Sluice believes, what it says, and who it says it is.
func TestNodeTLS(t *testing.T) {
	leakCheck(t)
	ca, nodeCA, ownCA := newAuthority(t, "test CA"), newAuthority(t, "nodes"), newAuthority(t, "sluice")
	front := ca.issue("ecdsa", nil, site).written(t)
	caFile := files(t).Cert
	replaceFile(t, caFile, certPEM(nodeCA.cert))
	own := ownCA.issue("ecdsa", nil, "sluice.example").written(t)
	byName, byAddr := nodeCA.issue("ecdsa", nil, "node.example").pair(), nodeCA.issue("ecdsa", nil, "127.0.0.1").pair()
	plainNode := &tls.Config{Certificates: []tls.Certificate{byAddr}}
	named := &tls.Config{Certificates: []tls.Certificate{byName}}
	asking := &tls.Config{Certificates: []tls.Certificate{byAddr}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ownCA.trust()}
	other := &tls.Config{Certificates: []tls.Certificate{byAddr}, NextProtos: []string{"acme-tls/1"}}
	for _, tt := range []struct {
		name string
		node *tls.Config
		tls  configs.NodeTLS
		ok   bool
		sni  string
	}{
		{"verified", plainNode, configs.NodeTLS{CA: caFile}, true, ""},
		{"unknown authority", plainNode, configs.NodeTLS{}, false, ""},
		{"another name", named, configs.NodeTLS{CA: caFile}, false, ""},
		{"server_name", named, configs.NodeTLS{CA: caFile, ServerName: "node.example"}, true, "node.example"},
		{"wrong server_name", named, configs.NodeTLS{CA: caFile, ServerName: "other.example"}, false, ""},
		{"insecure", named, configs.NodeTLS{Insecure: true}, true, ""},
		{"a client certificate", asking, configs.NodeTLS{CA: caFile, Cert: own.Cert, Key: own.Key}, true, ""},
		{"another protocol", other, configs.NodeTLS{CA: caFile}, false, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			addr, shook := tlsNode(t, tt.node)
			cfg := terminating([]*configs.Certificate{front}, addr)
			tt.tls.Enabled = true
			cfg.Pools[0].TLS = tt.tls
			cfg.Pools[0].Check.ServerName = "check.example" // of the checks only
			srv := serve(t, cfg)
			client := ca.client()
			client.NextProtos = []string{"http/1.1"}
			for i := range 2 {
				c := secure(t, srv.addr("s3"), client)
				c.Write([]byte("x"))
				_, err := io.ReadFull(c, make([]byte, 1))
				c.Close()
				if (err == nil) != tt.ok {
					t.Fatalf("got %v, want success %v", err, tt.ok)
				}
				r := srv.wait(i + 1)[i]
				if !tt.ok {
					if r.Cause != CauseDial || r.Phase != PhaseDial || r.Retries != 1 || r.BytesIn != 0 {
						t.Errorf("got record %+v", r)
					}
					continue
				}
				st := <-shook
				if st.ServerName != tt.sni || st.DidResume != (i == 1) {
					t.Errorf("session %d: the node saw the name %q, resumed %v", i+1, st.ServerName, st.DidResume)
				}
			}
		})
	}
}

// A node that takes the connection and is silent has no more than timeouts.dial for its handshake.
func TestNodeHandshakeTimeout(t *testing.T) {
	leakCheck(t)
	ca := newAuthority(t, "test CA")
	mute := startNode(t, func(c *net.TCPConn) { io.Copy(io.Discard, c) })
	cfg := terminating([]*configs.Certificate{ca.issue("ecdsa", nil, site).written(t)}, mute)
	cfg.Pools[0].TLS = configs.NodeTLS{Enabled: true, Insecure: true}
	cfg.Timeouts.Dial = 300 * time.Millisecond
	srv := serve(t, cfg)
	secure(t, srv.addr("s3"), ca.client())
	r := srv.wait(1)[0]
	if r.Cause != CauseDial || r.Phase != PhaseDial || r.Duration < 300*time.Millisecond || r.Duration > 5*time.Second {
		t.Errorf("got %v in %v after %v, want dial in dial after 300ms", r.Cause, r.Phase, r.Duration)
	}
	if _, blamed, _ := srv.dials(mute); blamed != 1 {
		t.Errorf("%d dials were blamed on the node, want 1", blamed)
	}
}
