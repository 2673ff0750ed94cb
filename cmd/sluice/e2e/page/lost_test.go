//go:build e2e && linux

package page

import (
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// TestLost: when Sluice does not answer the page says so, since when, and does not pass old figures for new;
// when it is back the page is, by itself.
func TestLost(t *testing.T) {
	s := newStage(t, "")
	s.hold(t, 12)
	b := newBrowser(t, 1440, 1000)
	b.open(s)
	b.until("it has sessions", `document.querySelector(".figure").textContent === "12"`)
	s.stop()
	stopped := time.Now()
	b.until("the page says that the connection is lost", `document.querySelector(".banner[role=alert]")?.textContent.startsWith("Connection lost: no answer from Sluice since ")`)
	t.Logf("said after %v", time.Since(stopped))
	if took := time.Since(stopped); took > 5*time.Second {
		t.Errorf("that took %v, want 5s at most", took)
	}
	if got := b.text("#link"); got != "connection lost" {
		t.Errorf("the head says %q", got)
	}
	time.Sleep(300 * time.Millisecond) // the figures fade
	if got := eval[string](b, `getComputedStyle(document.querySelector("main")).filter`); got != "grayscale(1)" {
		t.Errorf("the figures look as if they were new: filter %q", got)
	}
	b.shot("lost")
	b.look("dark")
	b.shot("lost-dark")

	s.start(t)
	b.until("the page is live again", `document.getElementById("link").textContent === "live" && !document.querySelector(".banner")`)
	b.until("with the figures of the new process", `document.querySelector(".figure").textContent === "0"`)
}

// TestToken: where the API wants a token the page asks for it, once.
func TestToken(t *testing.T) {
	s := newStage(t, "s3cret-of-this-test")
	b := newBrowser(t, 800, 700)
	b.open(s)
	b.until("it asks", `document.getElementById("token").open`)
	b.shot("token")
	b.do("wrong token", chromedp.SendKeys(chromedp.CSS("#token-text"), "nonsense"), chromedp.Click(chromedp.CSS("#token button")))
	b.until("it says that it is wrong", `document.getElementById("token").open && !document.getElementById("token-wrong").hidden`)
	b.do("right token", chromedp.SendKeys(chromedp.CSS("#token-text"), s.token), chromedp.Click(chromedp.CSS("#token button")))
	b.until("the page is live", `document.getElementById("link").textContent === "live"`)
	b.until("events come too", `document.querySelectorAll("#events-rows li").length > 0`)
	b.do("again", chromedp.Reload())
	b.until("the page is live without being asked again", `document.getElementById("link").textContent === "live" && !document.getElementById("token").open`)
}
