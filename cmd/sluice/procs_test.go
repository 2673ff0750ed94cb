package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/sluicelb/sluice/cmd/internal/authority"
)

// TestProcs: a process that only ends TLS runs one goroutine at a time until handshakes crowd it, and one that has loops
// begins with a place for each.
func TestProcs(t *testing.T) {
	most := runtime.GOMAXPROCS(0) // fewer than NumCPU where a cgroup has a limit
	if most < 2 || os.Getenv("GOMAXPROCS") != "" {
		t.Skip("there is nothing to choose")
	}
	dir := t.TempDir()
	ca, err := authority.New("procs")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := ca.Issue(&x509.Certificate{DNSNames: []string{"s3.test"}})
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	both := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})
	for _, der := range pair.Certificate {
		both = append(both, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	path := filepath.Join(dir, "pair.pem")
	rewrite(t, path, string(both))

	plain := withAdmin(echo(t))
	ending := strings.Replace(plain, "[[pool]]", fmt.Sprintf("tls = \"terminate\"\n[[listener.certificate]]\ncert = %q\nkey = %[1]q\n\n[[pool]]", path), 1)

	config := file(t, ending)
	p := launch(t, "run", "-c", config)
	address := listenerOf(t, p.line(t, "ready "), "s3")
	admin := adminOf(t, p)
	procs := func() int {
		t.Helper()
		return int(scrape(t, admin)["go_sched_gomaxprocs_threads"])
	}
	if n := procs(); n != 1 {
		t.Fatalf("at the start: GOMAXPROCS %d, want 1", n)
	}
	until(t, "handshakes have crowded one", func() bool {
		var clients sync.WaitGroup
		for range 8 {
			clients.Go(func() {
				for range 50 {
					conn, err := tls.Dial("tcp", address, &tls.Config{RootCAs: ca.Pool(), ServerName: "s3.test"})
					if err != nil {
						t.Error(err)
						return
					}
					conn.Close()
				}
			})
		}
		clients.Wait()
		return procs() > 1 || t.Failed()
	})
	if n := procs(); n > most {
		t.Errorf("under load: GOMAXPROCS %d on %d processors", n, most)
	}

	rewrite(t, config, plain)
	p.signal(t, syscall.SIGHUP)
	until(t, "loops have a place each", func() bool { return procs() == max(most, runtime.NumCPU()+2) })
}
