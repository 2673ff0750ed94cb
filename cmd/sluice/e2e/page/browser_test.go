//go:build e2e && linux

package page

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/sluicelb/sluice/cmd/internal/need"
)

const (
	browserBound = 5 * time.Minute
	stepBound    = 30 * time.Second
)

// A browser is a headless Chromium with an empty profile and one page.
type browser struct {
	t     *testing.T
	ctx   context.Context // of chromedp, not of a request: it is what its functions work on
	shots string          // folder for screenshots

	mu       sync.Mutex // guards complaints
	complain []string   // of scripts and of the content security policy
}

// newBrowser starts a browser, and ends it with the test. At the end the page must have had nothing to
// complain about.
func newBrowser(t *testing.T, width, height int64) *browser {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(need.Program(t, "chromium")),
		chromedp.Headless,
		chromedp.NoSandbox, // CI runs as root, where Chromium refuses to start with it
		chromedp.DisableGPU,
		chromedp.NoFirstRun,
		chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true),
	)
	b := &browser{t: t, shots: filepath.Join(root, "artifacts", "page")}
	if err := os.MkdirAll(b.shots, 0o755); err != nil {
		t.Fatal(err)
	}
	bound, cancel := context.WithTimeout(t.Context(), browserBound)
	t.Cleanup(cancel)
	allocator, cancel := chromedp.NewExecAllocator(bound, options...)
	t.Cleanup(cancel)
	b.ctx, cancel = chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	if err := chromedp.Listen(b.ctx, b.note); err != nil {
		t.Fatalf("start chromium: %v", err)
	}
	b.resize(width, height)
	if _, err := chromedp.Call(b.ctx, log.Enable, cdp.Empty{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, text := range b.complain {
			t.Errorf("the page complains: %s", text)
		}
	})
	return b
}

// note keeps what the page complains about.
func (b *browser) note(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		b.complain = append(b.complain, fmt.Sprintf("exception: %s", e.ExceptionDetails.Text))
	case *log.EventEntryAdded:
		if e.Entry.Source == log.EntrySourceSecurity || e.Entry.Source == log.EntrySourceJavascript {
			b.complain = append(b.complain, fmt.Sprintf("%s: %s", e.Entry.Source, e.Entry.Text))
		}
	}
}

// resize makes the window this large.
func (b *browser) resize(width, height int64) {
	b.t.Helper()
	b.do("resize", chromedp.EmulateViewport(width, height))
}

// look sets what the person's system says: dark or light, and whether things may move.
func (b *browser) look(scheme string) {
	b.t.Helper()
	if _, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme},
		{Name: "prefers-reduced-motion", Value: "reduce"},
	}}); err != nil {
		b.t.Fatal(err)
	}
}

// open goes to the page and waits until it has figures.
func (b *browser) open(s *stage) {
	b.t.Helper()
	b.look("light")
	b.do("open", chromedp.Navigate(s.admin))
	if s.token == "" {
		b.until("the page is live", `document.getElementById("link").textContent === "live"`)
	}
}

// do runs steps.
func (b *browser) do(name string, steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, stepBound)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.shot("failed")
		b.t.Fatalf("%s: %v", name, err)
	}
}

// eval is the value of an expression, which may be a promise, as JSON.
func eval[T any](b *browser, expression string) (value T) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, stepBound)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return value
}

// until waits for an expression to be true.
func (b *browser) until(what, expression string) {
	b.t.Helper()
	for end := time.Now().Add(stepBound); !eval[bool](b, "!!("+expression+")"); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			b.shot("failed")
			b.t.Fatalf("it never came: %s; the focus is on %q", what, eval[string](b, focused))
		}
	}
}

// text is what an element says.
func (b *browser) text(selector string) string {
	b.t.Helper()
	return eval[string](b, "document.querySelector("+quote(selector)+").innerText")
}

// press sends keys to what has the focus.
func (b *browser) press(keys string) {
	b.t.Helper()
	b.do("press", chromedp.KeyEvent(keys))
}

// click clicks the middle of an element.
func (b *browser) click(selector string) {
	b.t.Helper()
	b.do("click "+selector, chromedp.Click(chromedp.CSS(selector)))
}

// shot keeps what the window shows.
func (b *browser) shot(name string) {
	b.t.Helper()
	b.capture(name, false)
}

// longShot keeps what the page is, from the top to further down than the window shows.
func (b *browser) longShot(name string) {
	b.t.Helper()
	b.capture(name, true)
}

func (b *browser) capture(name string, long bool) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, stepBound)
	defer cancel()
	params := page.CaptureScreenshotParams{CaptureBeyondViewport: &long}
	if long {
		size := eval[[2]float64](b, "[document.documentElement.clientWidth, Math.min(3000, document.documentElement.scrollHeight)]")
		params.Clip = &page.Viewport{Width: size[0], Height: size[1], Scale: 1}
	}
	png, err := chromedp.Call(ctx, page.CaptureScreenshot, params)
	if err != nil {
		b.t.Logf("screenshot %q: %v", name, err)
		return
	}
	if err := os.WriteFile(filepath.Join(b.shots, strings.ReplaceAll(name, " ", "-")+".png"), png.Data, 0o644); err != nil {
		b.t.Error(err)
	}
}

// quote writes a text as JavaScript has it.
func quote(s string) string {
	text, _ := json.Marshal(s)
	return string(text)
}
