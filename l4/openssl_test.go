package l4

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluicelb/sluice/configs"
)

// OpenSSL resumes as crypto/tls does: at either listener, and across a reload.
func TestOpenSSLResumes(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("there is no openssl to ask")
	}
	ca := newAuthority(t, "test CA")
	dir := t.TempDir()
	caFile := filepath.Join(dir, "ca.pem")
	replaceFile(t, caFile, certPEM(ca.cert))
	cfg := terminating([]*configs.Certificate{ca.issue("ecdsa", nil, site).written(t)}, startNode(t, echo))
	other := *cfg.Listeners[0]
	other.Name = "other"
	cfg.Listeners = append(cfg.Listeners, &other)
	srv := serve(t, cfg)
	for _, version := range []string{"-tls1_2", "-tls1_3"} {
		session := filepath.Join(dir, "session"+version)
		for i, listener := range []string{"s3", "s3", "other", "other", "s3"} {
			args := []string{"s_client", version, "-connect", srv.addr(listener), "-servername", site, "-CAfile", caFile,
				"-verify_return_error", "-sess_out", session}
			if i > 0 {
				args = append(args, "-sess_in", session)
			}
			if i == 3 {
				if err := srv.Apply(cfg); err != nil {
					t.Fatal(err)
				}
			}
			cmd := exec.CommandContext(t.Context(), openssl, args...)
			typed, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			var said bytes.Buffer
			cmd.Stdout, cmd.Stderr = &said, &said
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			for range 200 { // by TLS 1.3 the tickets come after the handshake
				if info, err := os.Stat(session); err == nil && info.Size() > 0 {
					break
				}
				time.Sleep(10 * time.Millisecond)
			}
			typed.Write([]byte("Q\n"))
			typed.Close()
			if err := cmd.Wait(); err != nil {
				t.Fatalf("%v\n%s", err, said.String())
			}
			if want := []string{"New, ", "Reused, "}[min(i, 1)]; !strings.Contains(said.String(), want) {
				t.Errorf("%s, visit %d at %s: want %q in\n%s", version, i+1, listener, want, said.String())
			}
		}
	}
}
