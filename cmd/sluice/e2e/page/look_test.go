//go:build e2e && linux

package page

import (
	"testing"
	"time"
)

// TestLook keeps screenshots of the page in all its sizes and colours, and holds that it never scrolls sideways.
func TestLook(t *testing.T) {
	s := newStage(t, "")
	s.hold(t, 150)
	for range 6 {
		s.traffic(t, 4<<20)
	}
	s.holdName(t, "s3.example.net")
	b := newBrowser(t, 1440, 1000)
	b.open(s)
	time.Sleep(12 * time.Second) // for rates, and for some samples of the history
	for _, tt := range []struct {
		name          string
		width, height int64
		scheme        string
	}{
		{"desktop", 1440, 1000, "light"},
		{"desktop-dark", 1440, 1000, "dark"},
		{"phone", 360, 740, "light"},
		{"phone-dark", 360, 740, "dark"},
		{"tablet", 820, 1100, "light"},
		{"laptop", 1180, 800, "light"},
		{"wall", 2560, 1440, "dark"},
	} {
		b.look(tt.scheme)
		b.resize(tt.width, tt.height)
		b.shot(tt.name)
		b.longShot(tt.name + "-long")
		if wide := eval[int64](b, "document.documentElement.scrollWidth"); wide > tt.width {
			t.Errorf("%s: %d pixels wide, the window has %d", tt.name, wide, tt.width)
		}
		for _, card := range eval[[]string](b, `[...document.querySelectorAll(".card, .tile")].filter((c) => c.scrollWidth > c.clientWidth).map((c) => c.innerText.slice(0, 20))`) {
			t.Errorf("%s: what is in card %q is wider than it", tt.name, card)
		}
	}
}
