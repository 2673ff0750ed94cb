//go:build e2e && linux

package page

import (
	"errors"
	"fmt"
	"io"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// longest are the longest task of the page's one thread, and the longest time from a key or a click until
// something was painted, in milliseconds.
type longest struct{ Task, Interaction float64 }

// measure begins to watch for whatever makes the page feel slow.
const measure = `window.slow = {Task: 0, Interaction: 0};
	new PerformanceObserver((l) => l.getEntries().forEach((e) => slow.Task = Math.max(slow.Task, e.duration))).observe({type: "longtask"});
	new PerformanceObserver((l) => l.getEntries().forEach((e) => slow.Interaction = Math.max(slow.Interaction, e.duration))).observe({type: "event", durationThreshold: 16});
	true`

// TestManySessions: with 2,000 sessions the page stays quick, and whatever is looked for is found.
func TestManySessions(t *testing.T) {
	s := newStage(t, "")
	s.hold(t, 1997)
	for _, name := range []string{"needle.example.net", `<img src=x onerror="document.title='owned'">`, "right\u202eleft"} {
		s.holdName(t, name)
	}
	b := newBrowser(t, 1440, 1000)
	b.open(s)
	eval[bool](b, measure)
	b.until("all are there", `document.getElementById("sessions-sum").textContent === "100 of 2,000 shown"`)
	if got := eval[int](b, `document.querySelectorAll("#sessions-rows tr").length`); got != 100 {
		t.Errorf("%d rows, want the 100 that it says", got)
	}
	b.shot("sessions")
	b.click("#sessions-more")
	b.until("more are shown", `document.querySelectorAll("#sessions-rows tr").length === 200`)
	for range 3 {
		b.click("#sessions-more")
		time.Sleep(500 * time.Millisecond)
	}
	b.until("a thousand are shown, and there are no more", `document.querySelectorAll("#sessions-rows tr").length === 1000 && document.getElementById("sessions-more").hidden`)
	time.Sleep(6 * time.Second) // three updates of a thousand rows
	got := eval[longest](b, "window.slow")
	t.Logf("with 2,000 sessions, 1,000 of them shown: longest task %.0f ms, longest interaction %.0f ms", got.Task, got.Interaction)
	// Where it freezes, it is for seconds; what a busy machine does to a page is less.
	if got.Task > 600 || got.Interaction > 1000 {
		t.Errorf("the page freezes: longest task %.0f ms, longest interaction %.0f ms", got.Task, got.Interaction)
	}

	for search, want := range map[string]string{
		"needle":   "needle.example.net",
		"<img":     `<img src=x onerror="document.title='owned'">`,
		"right":    `right\u{202e}left`,
		"nobody..": "",
	} {
		b.search(search)
		if want == "" {
			b.until("nothing is found", `document.getElementById("sessions-none").innerText === "No session matches."`)
			continue
		}
		b.until(search+" is found", fmt.Sprintf(`document.querySelectorAll("#sessions-rows tr").length === 1 && document.querySelector("#sessions-rows tr").cells[2].textContent === %s`, quote(want)))
	}
	if title := eval[string](b, "document.title"); title == "owned" {
		t.Error("a server name was read as HTML")
	}

	b.search("")
	eval[string](b, fmt.Sprintf(`%s.cells[2].querySelector("button").click(), ""`, row(s.nodes[0])))
	b.until("only those of the node are shown", fmt.Sprintf(`document.querySelectorAll("#sessions-rows tr").length === 100 &&
		[...document.querySelectorAll("#sessions-rows tr")].every((r) => r.cells[4].textContent === %s)`, quote(s.nodes[0].address)))
}

// search types what is looked for, instead of what was.
func (b *browser) search(text string) {
	b.t.Helper()
	b.do("search", chromedp.Focus(chromedp.CSS("#sessions-search")))
	eval[string](b, `document.activeElement.select(), ""`)
	b.press(kb.Delete + text)
}

// TestKill ends a session that is chosen in the list.
func TestKill(t *testing.T) {
	s := newStage(t, "")
	s.hold(t, 3)
	victim := s.clients[1]
	b := newBrowser(t, 1440, 1000)
	b.open(s)
	button := fmt.Sprintf(`#sessions-rows button[aria-label$=%s]`, quote(victim.LocalAddr().String()))
	b.until("it is in the list", fmt.Sprintf("document.querySelector(%s)", quote(button)))
	b.click(button)
	b.until("the dialog says whose it is", dialogSays(victim.LocalAddr().String()))
	b.until("and what it means", dialogSays("Both sides see a reset"))
	b.shot("kill-dialog")
	b.click("#confirm-act")
	b.until("it is out of the list", `document.querySelectorAll("#sessions-rows tr").length === 2`)
	if got := eval[string](b, "document.activeElement.id"); got != "sessions-title" {
		t.Errorf("its button is gone, the focus is on %q, want the heading", got)
	}
	victim.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := victim.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the client sees %v, want a reset", err)
	}
	other := s.clients[0]
	if _, err := io.WriteString(other, "still there?"); err != nil {
		t.Fatal(err)
	}
	other.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.ReadFull(other, make([]byte, 12)); err != nil {
		t.Errorf("another session: %v", err)
	}
}

// TestFocusStays: what somebody is about to press does not go away under the finger.
func TestFocusStays(t *testing.T) {
	s := newStage(t, "")
	s.hold(t, 20)
	b := newBrowser(t, 1440, 1000)
	b.open(s)
	b.until("the list is there", `document.querySelectorAll("#sessions-rows tr").length === 20`)
	b.do("focus", chromedp.Focus(chromedp.CSS("#sessions-rows tr:nth-child(7) button")))
	before := eval[string](b, focused)
	s.clients[2].Close()
	b.until("the list has changed", `document.querySelectorAll("#sessions-rows tr").length === 19`)
	s.hold(t, 5)
	b.until("the list has changed", `document.querySelectorAll("#sessions-rows tr").length === 24`)
	if after := eval[string](b, focused); after != before {
		t.Errorf("the focus went from %q to %q", before, after)
	}
}
