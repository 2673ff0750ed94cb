//go:build e2e && linux

package page

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"
)

// button is the button of a node with a word on it.
func button(n *node, word string) string {
	return fmt.Sprintf(`#pools button[aria-label^=%s]`, quote(word+" "+n.address+" "))
}

// dialogSays is whether the dialog has a text in it.
func dialogSays(text string) string {
	return fmt.Sprintf(`document.getElementById("confirm").open && document.getElementById("confirm").innerText.includes(%s)`, quote(text))
}

// focused is the name of what has the focus, as a screen reader says it.
const focused = `(document.activeElement.getAttribute("aria-label") || document.activeElement.innerText || document.activeElement.tagName)`

// tabTo presses Tab until the focus is on what is named so, as somebody does who has no mouse.
func (b *browser) tabTo(name string) {
	b.t.Helper()
	for range 60 {
		b.press(kb.Tab)
		if strings.HasPrefix(eval[string](b, focused), name) {
			return
		}
	}
	b.t.Fatalf("60 times Tab, and the focus was never on %q", name)
}

// TestDrainByKeyboard drains a node to zero and puts it back, without a mouse and without knowing more than what
// the page says.
func TestDrainByKeyboard(t *testing.T) {
	s := newStage(t, "")
	s.hold(t, 40)
	b := newBrowser(t, 1440, 1000)
	b.open(s)
	n := s.nodes[1]
	b.until("it has ten sessions", fmt.Sprintf(`%s.cells[2].innerText === "10"`, row(n)))

	b.press(kb.Tab)
	if got := eval[string](b, focused); got != "Skip to the nodes" {
		t.Errorf("the first Tab goes to %q, want the way past the head of the page", got)
	}
	b.press(kb.Enter)
	b.tabTo("Drain " + n.address)
	b.press(kb.Enter)
	b.until("the dialog has the cluster's answer", dialogSays("Safe: the cluster keeps write quorum without it (write quorum 3)."))
	for _, text := range []string{
		"Drain " + n.address + "?", "New sessions go to the 3 other available nodes of pool s3.",
		"Its 10 sessions go on until they end; nothing is cut.", "Ready undoes it at any time.", "Drain it in pool console too",
	} {
		if !eval[bool](b, dialogSays(text)) {
			t.Errorf("the dialog does not say %q", text)
		}
	}
	b.shot("drain-dialog")
	if got := eval[string](b, focused); got != "Cancel" {
		t.Errorf("in the dialog the focus is on %q, want Cancel: Enter alone must not drain", got)
	}
	b.press(kb.Escape)
	b.until("Escape closes it", `!document.getElementById("confirm").open`)
	if got := eval[string](b, focused); !strings.HasPrefix(got, "Drain "+n.address) {
		t.Errorf("after that the focus is on %q, want where it was", got)
	}
	if word := s.admins(t)[n.address]; word != "ready" {
		t.Fatalf("the node is %s, though nobody said yes", word)
	}

	b.press(kb.Enter)
	b.until("the button works once the answer is there", `!document.getElementById("confirm-act").disabled`)
	b.tabTo("Drain")
	b.press(kb.Enter)
	b.until("the row says so", says(n, "draining")+"&&"+says(n, "10 sessions left"))
	b.until("the focus is on what undoes it", fmt.Sprintf("%s.startsWith(%s)", focused, quote("Ready "+n.address)))
	b.until("the Console of the same machine drains too", `document.querySelectorAll("#pools section")[1].querySelectorAll("tbody tr")[1].innerText.includes("drained")`)
	b.shot("draining")

	s.dropClients()
	b.until("it drained to zero", says(n, "drained")+"&&"+says(n, "it can be stopped"))
	b.shot("drained")
	b.press(kb.Enter)
	b.until("the dialog says what Ready does", dialogSays("It gets new sessions again, as soon as it is not down."))
	b.tabTo("Ready")
	b.press(kb.Enter)
	b.until("it is back", says(n, "up"))
	b.until("and so is the Console", `document.querySelectorAll("#pools section")[1].querySelectorAll("tbody tr")[1].innerText.includes("up")`)
	if word := s.admins(t)[n.address]; word != "ready" {
		t.Errorf("the node is %s, want ready", word)
	}
}

// TestDrainByMouse does the same with a mouse on a phone, and changes its mind on the Console.
func TestDrainByMouse(t *testing.T) {
	s := newStage(t, "")
	s.hold(t, 8)
	b := newBrowser(t, 360, 740)
	b.open(s)
	n := s.nodes[0]
	b.click(button(n, "Drain"))
	b.until("the button works once the answer is there", `!document.getElementById("confirm-act").disabled`)
	b.shot("drain-dialog-phone")
	b.click("#confirm .choice input")
	b.click("#confirm-act")
	b.until("the row says so", says(n, "draining"))
	if words := s.admins(t); words[n.address] != "drain" {
		t.Errorf("the node is %s, want drain", words[n.address])
	}
	if eval[bool](b, `document.querySelectorAll("#pools section")[1].innerText.includes("drained")`) {
		t.Error("the Console drains, though that was unticked")
	}
	b.click(button(n, "End sessions"))
	b.until("the dialog says what that means", dialogSays("Clients and node see a reset"))
	b.shot("end-sessions-dialog-phone")
	b.click("#confirm-act")
	b.until("nothing is left", says(n, "drained"))
	b.click(button(n, "Maint"))
	b.until("the dialog says what that means", dialogSays("not even if no other node is available"))
	b.click("#confirm-act")
	b.until("the row says so", says(n, "maintenance"))
}

// TestDrainRefused: where the cluster would lose its quorum the page says so, and drains only if the person insists.
func TestDrainRefused(t *testing.T) {
	s := newStage(t, "")
	b := newBrowser(t, 1440, 1000)
	b.open(s)
	n := s.nodes[3]
	n.may.Store(http.StatusPreconditionFailed)
	b.click(button(n, "Drain"))
	b.until("the dialog says why not", dialogSays("without it the cluster loses write quorum (write quorum 3)"))
	b.until("and what helps", dialogSays("bring the nodes back that are missing"))
	if !eval[bool](b, `document.getElementById("confirm-act").disabled`) {
		t.Error("the button works, though the cluster said no")
	}
	b.shot("drain-refused")
	b.click("#confirm-cancel")
	if word := s.admins(t)[n.address]; word != "ready" {
		t.Fatalf("the node is %s, though it was refused", word)
	}

	b.click(button(n, "Drain"))
	b.until("the offer is there", dialogSays("Drain it all the same."))
	b.click("#confirm .choice:last-of-type input")
	if got := b.text("#confirm-act"); got != "Drain all the same" {
		t.Errorf("the button says %q", got)
	}
	b.shot("drain-forced")
	b.click("#confirm-act")
	b.until("it drains", says(n, "drained"))

	// What was safe when it was asked may not be when it is done.
	other := s.nodes[2]
	b.click(button(other, "Drain"))
	b.until("the dialog is there", dialogSays("Safe:"))
	b.until("it says who went before", dialogSays(n.address+" was told to leave before"))
	other.may.Store(http.StatusPreconditionFailed)
	b.click("#confirm-act")
	b.until("the dialog stays and says why", dialogSays("without it the cluster loses write quorum"))
	if word := s.admins(t)[other.address]; word != "ready" {
		t.Errorf("the node is %s, though it was refused", word)
	}
}
