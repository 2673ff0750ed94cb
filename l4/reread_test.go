package l4

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluicelb/sluice/configs"
)

// newTestTerminator is one that a test looks at itself.
func newTestTerminator(t *testing.T, lc *configs.Listener) *terminator {
	t.Helper()
	tm, err := newTerminator(lc, newTickets(time.Now()))
	if err != nil {
		t.Fatal(err)
	}
	return tm
}

// presented is the leaf that a terminator would present.
func (t *terminator) presented() *x509.Certificate { return t.pairs[0].cert.Leaf }

// Every way in which certificates are renewed, and what must be served after each look.
func TestCertificateReread(t *testing.T) {
	ca := newAuthority(t, "test CA")
	one, two, three := ca.issue("ecdsa", nil, site), ca.issue("ecdsa", nil, site), ca.issue("ecdsa", nil, site)
	expired := ca.issue("ecdsa", &x509.Certificate{NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(-time.Hour)}, site)
	put := func(t *testing.T, path string, text []byte) {
		t.Helper()
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	type scene struct {
		*terminator
		t *testing.T
		c *configs.Certificate
	}
	// looks has the terminator look, and says what the looks together must report and what is served then.
	looks := func(s scene, n int, want issued, err string) {
		s.t.Helper()
		var changes []change
		for range n {
			changes = append(changes, s.look(time.Now())...)
		}
		switch {
		case err == "none" && len(changes) == 0:
		case err == "none":
			s.t.Errorf("got %v, want no change", changes)
		case len(changes) != 1:
			s.t.Errorf("got %v, want one change", changes)
		case err == "" && changes[0].err != nil:
			s.t.Error(changes[0].err)
		case err != "" && (changes[0].err == nil || !strings.Contains(changes[0].err.Error(), err)):
			s.t.Errorf("got %v, want %q", changes[0].err, err)
		}
		if !s.presented().Equal(want.chain[0]) {
			s.t.Errorf("another certificate is served than the one of %v", want.chain[0].NotAfter)
		}
		if shown := s.state.Load().shown[0]; !shown.NotAfter.Equal(want.chain[0].NotAfter) {
			s.t.Errorf("status shows %+v", shown)
		}
	}
	for name, play := range map[string]func(s scene){
		"replaced": func(s scene) {
			two.write(s.t, s.c)
			looks(s, 1, one, "none") // it may not be complete
			looks(s, 1, two, "")
			looks(s, 5, two, "none")
		},
		"in place, bit by bit": func(s scene) {
			text, key := certPEM(two.chain...), keyPEM(s.t, two.key)
			put(s.t, s.c.Cert, text[:100])
			looks(s, 1, one, "none")
			put(s.t, s.c.Cert, text)
			looks(s, 1, one, "none")
			put(s.t, s.c.Key, key[:50])
			looks(s, 1, one, "none")
			put(s.t, s.c.Key, key)
			looks(s, 1, one, "none")
			looks(s, 1, two, "")
		},
		"too slowly": func(s scene) { // half of a pair is a bad pair, and that is said once
			put(s.t, s.c.Cert, certPEM(two.chain...))
			looks(s, 4, one, "was one of the two files renewed without the other?")
			put(s.t, s.c.Key, keyPEM(s.t, two.key))
			looks(s, 4, two, "")
		},
		"garbage, then repaired": func(s scene) {
			put(s.t, s.c.Cert, []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))
			looks(s, 4, one, s.c.Cert)
			put(s.t, s.c.Cert, certPEM(one.chain...))
			looks(s, 4, one, "")
		},
		"removed, then back": func(s scene) {
			os.Remove(s.c.Key)
			looks(s, 4, one, "no such file")
			three.write(s.t, s.c)
			looks(s, 4, three, "")
		},
		"expired": func(s scene) {
			expired.write(s.t, s.c)
			looks(s, 4, one, "it expired on")
		},
		"touched": func(s scene) {
			later := time.Now().Add(time.Minute)
			os.Chtimes(s.c.Cert, later, later)
			looks(s, 4, one, "")
		},
		"permission": func(s scene) {
			if os.Getuid() == 0 {
				s.t.Skip("root may read everything")
			}
			two.write(s.t, s.c)
			os.Chmod(s.c.Key, 0)
			looks(s, 4, one, "permission denied")
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := one.written(t)
			play(scene{newTestTerminator(t, &configs.Listener{Name: "s3", Certificates: []*configs.Certificate{c}}), t, c})
		})
	}

	// Kubernetes mounts a secret as links to a link to a folder, and turns the link in the middle.
	t.Run("link to a folder", func(t *testing.T) {
		dir := t.TempDir()
		for folder, cert := range map[string]issued{"..1": one, "..2": two} {
			os.Mkdir(filepath.Join(dir, folder), 0o700)
			cert.write(t, &configs.Certificate{Cert: filepath.Join(dir, folder, "tls.crt"), Key: filepath.Join(dir, folder, "tls.key")})
		}
		os.Symlink("..1", filepath.Join(dir, "..data"))
		c := &configs.Certificate{Cert: filepath.Join(dir, "tls.crt"), Key: filepath.Join(dir, "tls.key")}
		os.Symlink("..data/tls.crt", c.Cert)
		os.Symlink("..data/tls.key", c.Key)
		s := scene{newTestTerminator(t, &configs.Listener{Name: "s3", Certificates: []*configs.Certificate{c}}), t, c}
		looks(s, 2, one, "none")
		os.Symlink("..2", filepath.Join(dir, "..new"))
		if err := os.Rename(filepath.Join(dir, "..new"), filepath.Join(dir, "..data")); err != nil {
			t.Fatal(err)
		}
		looks(s, 2, two, "")
	})
	// certbot turns the links themselves, one after the other.
	t.Run("link to a file", func(t *testing.T) {
		first, second := one.written(t), two.written(t)
		c := files(t)
		os.Symlink(first.Cert, c.Cert)
		os.Symlink(first.Key, c.Key)
		s := scene{newTestTerminator(t, &configs.Listener{Name: "s3", Certificates: []*configs.Certificate{c}}), t, c}
		os.Remove(c.Cert)
		os.Symlink(second.Cert, c.Cert)
		looks(s, 1, one, "none")
		os.Remove(c.Key)
		os.Symlink(second.Key, c.Key)
		looks(s, 1, one, "none")
		looks(s, 1, two, "")
	})
}

// One bad pair does not keep another from being renewed.
func TestCertificatesAreRereadOneByOne(t *testing.T) {
	ca := newAuthority(t, "test CA")
	good, bad := ca.issue("ecdsa", nil, "a.example").written(t), ca.issue("ecdsa", nil, "b.example").written(t)
	tm := newTestTerminator(t, &configs.Listener{Name: "s3", Certificates: []*configs.Certificate{bad, good}})
	os.WriteFile(bad.Cert, nil, 0o600)
	renewed := ca.issue("ecdsa", nil, "a.example")
	renewed.write(t, good)
	var changes []change
	for range 3 {
		changes = append(changes, tm.look(time.Now())...)
	}
	if len(changes) != 2 || changes[0].err == nil || changes[1].err != nil {
		t.Errorf("got %v, want an error and a success", changes)
	}
	if !tm.pairs[1].cert.Leaf.Equal(renewed.chain[0]) || tm.pairs[0].cert.Leaf.DNSNames[0] != "b.example" {
		t.Error("the good pair was not renewed, or the other is gone")
	}
}

// A configuration with a bad pair is refused as a whole, at the start and on reload, and names all that is wrong.
func TestBadCertificateRefused(t *testing.T) {
	leakCheck(t)
	ca := newAuthority(t, "test CA")
	good := ca.issue("ecdsa", nil, site).written(t)
	srv := serve(t, terminating([]*configs.Certificate{good}, startNode(t, echo)))
	bad, none := ca.issue("ecdsa", nil, site).written(t), files(t)
	os.WriteFile(bad.Key, nil, 0o600)
	cfg := terminating([]*configs.Certificate{bad, none}, srv.cfg.Pools[0].Nodes...)
	err := srv.Apply(cfg)
	if err == nil || !strings.Contains(err.Error(), bad.Key) || !strings.Contains(err.Error(), none.Cert) {
		t.Errorf("got %v, want both files named", err)
	}
	c := secure(t, srv.addr("s3"), ca.client())
	if _, err := c.Write([]byte("x")); err != nil {
		t.Error(err)
	}
	c.Close()
}

// Certificates are swapped again and again while clients come and go, and none of them fails.
func TestCertificatesSwappedUnderLoad(t *testing.T) {
	leakCheck(t)
	ca := newAuthority(t, "test CA")
	c := ca.issue("ecdsa", nil, site).written(t)
	srv := serve(t, terminating([]*configs.Certificate{c}, startNode(t, echo)))
	var serials sync.Map
	var done atomic.Bool
	var sessions atomic.Int64
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			for !done.Load() {
				conn, err := tls.Dial("tcp", srv.addr("s3"), ca.client())
				if err != nil {
					t.Error(err)
					return
				}
				serials.Store(conn.ConnectionState().PeerCertificates[0].SerialNumber.String(), true)
				conn.Write([]byte("hello"))
				conn.CloseWrite()
				if b, err := io.ReadAll(conn); string(b) != "hello" || err != nil {
					t.Errorf("got %q, %v", b, err)
				}
				conn.Close()
				sessions.Add(1)
			}
		})
	}
	for i := range 6 {
		time.Sleep(lookInterval * 4 / 3)
		ca.issue([]string{"ecdsa", "rsa"}[i%2], nil, site).write(t, c)
	}
	time.Sleep(3 * lookInterval)
	done.Store(true)
	clients.Wait()
	seen := 0
	serials.Range(func(any, any) bool { seen++; return true })
	t.Logf("%d sessions saw %d certificates", sessions.Load(), seen)
	if seen < 2 {
		t.Errorf("clients saw %d certificates, want those that were put there", seen)
	}
}
