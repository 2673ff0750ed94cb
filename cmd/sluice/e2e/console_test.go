//go:build e2e && linux

package e2e

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	cdpbrowser "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"
)

const consoleSize = 8 << 20

// testConsole does with the Console what a person does, in a browser: goes to the S3 address, is sent to
// the Console, logs in, looks into a bucket, uploads, downloads. Each of the page's many connections
// goes to another node, and nothing but the cookie holds the session together.
func testConsole(t *testing.T, s *stage) {
	balancer := s.balance(t, settings{balance: "roundrobin"})
	name := s.bucket(t, "console")
	b := s.newBrowser(t)

	body := randomBytes(consoleSize)
	file := filepath.Join(t.TempDir(), "upload.bin")
	if err := os.WriteFile(file, body, 0o644); err != nil {
		t.Fatal(err)
	}
	downloads := t.TempDir()

	b.do(t, "login page",
		chromedp.Navigate(s.s3URL()),
		chromedp.WaitVisible(chromedp.CSS("#accessKey")),
	)
	at, err := chromedp.Run(b.ctx, chromedp.Location())
	if err != nil || !strings.HasPrefix(at, s.consoleURL()+"/") {
		t.Errorf("a browser at %s ends at %q, %v; want the Console at %s", s.s3URL(), at, err, s.consoleURL())
	}
	b.do(t, "logged in",
		chromedp.SendKeys(chromedp.CSS("#accessKey"), s.cluster.User),
		chromedp.SendKeys(chromedp.CSS("#secretKey"), s.cluster.Password),
		chromedp.Click(chromedp.CSS("#do-login")),
		// A page about the licence covers everything until it is acknowledged.
		chromedp.Click(chromedp.CSS("#acknowledge-confirm")),
		chromedp.WaitNotPresent(chromedp.CSS("#acknowledge-confirm")),
	)
	b.do(t, "empty bucket",
		chromedp.Navigate(s.consoleURL()+"/browser/"+name),
		// The list comes over a WebSocket.
		chromedp.WaitVisible(chromedp.Search(`//*[contains(text(), "This location is empty")]`)),
	)
	b.do(t, "uploaded",
		chromedp.SetUploadFiles(chromedp.CSS(`input[type="file"]`), []string{file}),
		chromedp.WaitVisible(chromedp.Search(`//*[.="100%"]`)),
		chromedp.WaitVisible(chromedp.Search(`//*[@id="object-list-wrapper"]//*[text()="upload.bin"]`)),
	)
	b.do(t, "details",
		chromedp.Click(chromedp.CSS("#object-manager-toggle")), // its list of uploads lies over the buttons
		chromedp.Click(chromedp.Search(`//*[@id="object-list-wrapper"]//*[text()="upload.bin"]`)),
		chromedp.WaitVisible(chromedp.Search(`//*[text()="Download"]`)),
	)

	if _, err := chromedp.Call(b.ctx, cdpbrowser.SetDownloadBehavior, cdpbrowser.SetDownloadBehaviorParams{
		Behavior:      cdpbrowser.SetDownloadBehaviorBehaviorAllowAndName,
		DownloadPath:  downloads,
		EventsEnabled: new(true),
	}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(b.ctx, stepBound)
	defer cancel()
	done, err := chromedp.Run(ctx, chromedp.WaitEvent(cdpbrowser.DownloadProgress,
		func(e cdpbrowser.EventDownloadProgress) bool {
			return e.State != cdpbrowser.DownloadProgressStateInProgress
		},
		chromedp.Click(chromedp.Search(`//*[text()="Download"]`))))
	b.screenshot(t, "downloaded")
	if err != nil || done.State != cdpbrowser.DownloadProgressStateCompleted {
		t.Fatalf("download: state %q, %v", done.State, err)
	}
	got, err := os.ReadFile(filepath.Join(downloads, done.GUID))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, body) {
		t.Errorf("downloaded %d bytes that are not the %d uploaded", len(got), len(body))
	}

	b.mu.Lock()
	defer b.mu.Unlock()
	for _, failed := range b.failed {
		t.Errorf("a request of the page failed: %s", failed)
	}
	if b.sockets == 0 {
		t.Error("no WebSocket was opened: the list of objects cannot have come over one")
	}
	sessions, err := balancer.Sessions()
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range s.cluster.Nodes {
		if sessions != nil && sessions[n.Console.String()] == 0 {
			t.Errorf("%s had no session of the Console", n.Name)
		}
	}
	t.Logf("%d WebSockets; sessions by node: %v; screenshots in %s", b.sockets, sessions, b.shots)
}
