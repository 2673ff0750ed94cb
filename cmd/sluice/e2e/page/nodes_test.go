//go:build e2e && linux

package page

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// row is the row of a node.
func row(n *node) string {
	return fmt.Sprintf(`[...document.querySelectorAll(".pool tbody tr")].find((r) => r.cells[0].innerText.startsWith(%s))`, quote(n.address))
}

// says is whether the row of a node has a text in it.
func says(n *node, text string) string {
	return fmt.Sprintf("%s?.innerText.includes(%s)", row(n), quote(text))
}

// TestNodes: the page shows every node, one that is killed as soon as the checks know, and its return; all this
// by itself.
func TestNodes(t *testing.T) {
	s := newStage(t, "")
	b := newBrowser(t, 1440, 1000)
	b.open(s)
	for _, n := range s.nodes {
		b.until(n.address+" is up", says(n, "up"))
	}
	if got := eval[int](b, `document.querySelectorAll("#pools section")[0].querySelectorAll("tbody tr").length`); got != 4 {
		t.Errorf("pool s3 has %d rows, want 4", got)
	}

	b.until("what happened before is in the events", `[...document.querySelectorAll("#events-rows li")].filter((e) => e.innerText.includes("is up")).length === 8`)

	killed := time.Now()
	s.nodes[2].kill()
	b.until("the page says that the node is down", says(s.nodes[2], "down"))
	// Three failed checks in a row, the first up to an interval away, the others at a faster pace; and a page
	// that is told at once by an event.
	if took, want := time.Since(killed), 3*checkInterval+time.Second; took > want {
		t.Errorf("the page showed a killed node after %v, want %v at most", took, want)
	} else {
		t.Logf("a killed node is shown after %v; checked every %v", took, checkInterval)
	}
	b.until("and why", says(s.nodes[2], "connection refused"))
	b.until("and in the events", fmt.Sprintf(`document.querySelector("#events-rows li").innerText.includes(%s)`, quote("s3 "+s.nodes[2].address+" is down")))
	b.until("it is said aloud", `document.getElementById("news").textContent.includes("is down")`)
	b.shot("node-down")
	if sum := b.text("#pools section .sum"); !strings.Contains(sum, "3 of 4 available") {
		t.Errorf("the pool says %q, want 3 of 4 available", sum)
	}

	s.nodes[2].start(t)
	b.until("the node is up again", says(s.nodes[2], "up"))

	s.nodes[1].live.Store(503)
	b.until("a node that answers 503 is busy, not down", says(s.nodes[1], "busy")+" && !"+says(s.nodes[1], "down"))
}

// TestRates: figures move with the traffic, and the history is there for a page that was just opened.
func TestRates(t *testing.T) {
	s := newStage(t, "")
	s.traffic(t, 1<<20)
	time.Sleep(12 * time.Second) // two samples of the history
	b := newBrowser(t, 1440, 1000)
	b.open(s)
	b.until("the history is drawn before anything could have been seen", `document.querySelector(".tile:nth-child(3) .spark .line").getAttribute("d")?.includes("L")`)
	b.until("the rate is known", `/[1-9].* KiB\/s|MiB\/s/.test(document.querySelector(".tile:nth-child(3) .figure").textContent)`)
	got := eval[float64](b, `fetch("/api/v1/history").then((r) => r.json()).then((h) => { const [a, z] = h.samples.slice(-2);
		return (z.bytes.in - a.bytes.in) / (new Date(z.time) - new Date(a.time)) * 1000 })`)
	if got < 100<<10 || got > 4<<20 {
		t.Errorf("the history says %.0f bytes a second, the traffic is some 1 MiB", got)
	}
}
