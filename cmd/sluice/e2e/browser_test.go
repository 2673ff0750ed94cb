//go:build e2e && linux

package e2e

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/sluicelb/sluice/cmd/internal/need"
)

// A browser is a headless Chromium with an empty profile and one page.
type browser struct {
	ctx   context.Context // of chromedp, not of a request: it is what its functions work on
	shots string          // folder for screenshots

	mu      sync.Mutex // guards the fields below
	failed  []string   // requests without an answer
	sockets int        // WebSockets opened
	shot    int        // number of the last screenshot
}

// newBrowser starts a browser that resolves the names and takes the nodes' certificates, and ends it
// with the test.
func (s *stage) newBrowser(t *testing.T) *browser {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(need.Program(t, "chromium")),
		chromedp.Headless,
		chromedp.NoSandbox, // CI runs as root, where Chromium refuses to start with it
		chromedp.DisableGPU,
		chromedp.NoFirstRun,
		chromedp.WindowSize(1400, 900),
		chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-quic", true),
	)
	if s.mode == byName {
		// The Console offers HTTP/2 over TLS and breaks it: after a first batch of requests it sends
		// GOAWAY, so that a page loses resources at random, with no balancer in between as well. Where the
		// balancer ends TLS it offers HTTP/1.1 only.
		options = append(options, chromedp.Flag("disable-http2", true))
	}
	if s.mode.tls() {
		options = append(options,
			chromedp.Flag("host-resolver-rules", fmt.Sprintf("MAP *.sluice.test %s", block.Balancer())),
			// Not just any certificate is taken: those of the two names, by their public keys.
			chromedp.Flag("ignore-certificate-errors-spki-list", strings.Join([]string{
				keyHash(t, s.certificate(s3Name)), keyHash(t, s.certificate(consoleName)),
			}, ",")),
		)
	}
	b := &browser{shots: artifacts(t)}
	bound, cancel := context.WithTimeout(t.Context(), browserBound)
	t.Cleanup(cancel)
	allocator, cancel := chromedp.NewExecAllocator(bound, options...)
	t.Cleanup(cancel)
	b.ctx, cancel = chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	if err := chromedp.Listen(b.ctx, b.note); err != nil {
		t.Fatalf("start chromium: %v", err)
	}
	if _, err := chromedp.Call(b.ctx, network.Enable, network.EnableParams{}); err != nil {
		t.Fatal(err)
	}
	return b
}

const (
	browserBound = 4 * time.Minute  // for everything that one browser does; it takes some twenty seconds
	stepBound    = 60 * time.Second // for a few clicks and what they lead to
)

// keyHash is the hash of the public key of the certificate in a file, as Chromium wants it.
func keyHash(t *testing.T, file string) string {
	t.Helper()
	sum := sha256.Sum256(readCertificate(t, file).RawSubjectPublicKeyInfo)
	return base64.StdEncoding.EncodeToString(sum[:])
}

// readCertificate reads the first certificate of a PEM file.
func readCertificate(t *testing.T, file string) *x509.Certificate {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	p, _ := pem.Decode(text)
	if p == nil {
		t.Fatalf("no PEM in %s", file)
	}
	cert, err := x509.ParseCertificate(p.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// note counts what the network part of the browser tells.
func (b *browser) note(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *network.EventLoadingFailed:
		if !e.Canceled {
			b.failed = append(b.failed, fmt.Sprintf("%s: %s", e.Type, e.ErrorText))
		}
	case *network.EventWebSocketHandshakeResponseReceived:
		b.sockets++
	}
}

// do runs steps and takes a screenshot of where they led, or of where they failed.
func (b *browser) do(t *testing.T, name string, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, stepBound)
	defer cancel()
	err := chromedp.Do(ctx, steps...)
	b.screenshot(t, name)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// screenshot keeps what the page looks like.
func (b *browser) screenshot(t *testing.T, name string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 20*time.Second)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		t.Logf("screenshot %q: %v", name, err)
		return
	}
	b.shot++
	file := filepath.Join(b.shots, fmt.Sprintf("%d-%s.png", b.shot, strings.ReplaceAll(name, " ", "-")))
	if err := os.WriteFile(file, png, 0o644); err != nil {
		t.Error(err)
	}
}
