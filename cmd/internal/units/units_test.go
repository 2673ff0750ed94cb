package units

import (
	"math"
	"strings"
	"testing"
)

func TestSize(t *testing.T) {
	for n, want := range map[uint64]string{
		0: "0 B", 999: "999 B", 1000: "1.0 KiB", 1536: "1.5 KiB", 10189: "10 KiB", 1023 << 10: "1.0 MiB", 5 << 40: "5.0 TiB",
		math.MaxUint64: "16 EiB",
	} {
		if got := Size(n); got != want {
			t.Errorf("Size(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestCounts(t *testing.T) {
	for n, want := range map[int]string{-1: "0", 0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := Count(n); got != want {
			t.Errorf("Count(%d) = %q, want %q", n, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0 sessions", 1: "1 session", 2000: "2,000 sessions"} {
		if got := Counted(n, "session"); got != want {
			t.Errorf("Counted(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestTimes(t *testing.T) {
	for s, want := range map[float64]string{
		-1: "0s", 0: "0.0s", 9.94: "9.9s", 59.9: "59s", 61: "1m1s", 3700: "1h1m", 90000: "1d1h",
	} {
		if got := Age(s); got != want {
			t.Errorf("Age(%v) = %q, want %q", s, got, want)
		}
	}
	for s, want := range map[float64]string{0: "0", .00123: "1.23 ms", .0123: "12 ms", .99: "990 ms", 1.5: "1.5 s"} {
		if got := Latency(s); got != want {
			t.Errorf("Latency(%v) = %q, want %q", s, got, want)
		}
	}
}

func TestPlain(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "s3.example.net": "s3.example.net", "a b": `"a b"`, `say "hi"`: `"say \"hi\""`, "\x1b[31mred": `"\x1b[31mred"`,
		"right\u202eleft": `"right\u202eleft"`, "\xff": `"\xff"`, "bücket": "bücket",
		strings.Repeat("x", 100): strings.Repeat("x", 60) + "...",
	} {
		if got := Plain(text); got != want {
			t.Errorf("Plain(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestText(t *testing.T) {
	for text, want := range map[string]string{
		"": "", `dial tcp "x": refused`: `dial tcp "x": refused`, "a\tb\n\x1b[2J": `a\tb\n\x1b[2J`, "right\u202eleft": `right\u202eleft`,
		"\xffb": `\xffb`, "bücket": `b\u00fccket`, `back\slash`: `back\slash`,
	} {
		if got := Text(text); got != want {
			t.Errorf("Text(%q) = %q, want %q", text, got, want)
		}
	}
}
