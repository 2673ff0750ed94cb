// Package units writes figures for people: sizes, counts, ages, latencies, and texts from outside. All of it is
// pure. Those of the page are in cmd/internal/admin/page/units.js.
package units

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Size is a number of bytes with two digits at least: 999 B, 1.5 MiB, 123 GiB.
func Size(n uint64) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	v := float64(n)
	for _, unit := range []string{"KiB", "MiB", "GiB", "TiB", "PiB"} {
		v /= 1024
		switch {
		case v < 9.95:
			return fmt.Sprintf("%.1f %s", v, unit)
		case v < 999.5:
			return fmt.Sprintf("%.0f %s", v, unit)
		}
	}
	return fmt.Sprintf("%.0f EiB", v/1024)
}

// Count is a number with its thousands apart: 12,345.
func Count[T int | int64 | uint64](n T) string {
	digits := strconv.FormatUint(uint64(max(n, 0)), 10)
	for at := len(digits) - 3; at > 0; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return digits
}

// Age is a time, in seconds, in the two largest units that say something: 12s, 3m4s, 5h12m, 2d3h.
func Age(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	day := 24 * time.Hour
	switch {
	case d < 0:
		return "0s"
	case d < 10*time.Second:
		return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + "s"
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm%ds", d/time.Minute, d%time.Minute/time.Second)
	case d < day:
		return fmt.Sprintf("%dh%dm", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%dd%dh", d/day, d%day/time.Hour)
}

// Latency is a latency, in seconds, written in milliseconds up to a second.
func Latency(seconds float64) string {
	switch ms := seconds * 1000; {
	case ms == 0:
		return "0"
	case ms < 10:
		return fmt.Sprintf("%.2f ms", ms)
	case ms < 1000:
		return fmt.Sprintf("%.0f ms", ms)
	}
	return fmt.Sprintf("%.1f s", seconds)
}

// Plain is a text from outside that cannot spoil a table or a terminal: quoted where it is not plain.
func Plain(s string) string {
	const most = 60
	if strings.ContainsFunc(s, func(r rune) bool {
		return r == '"' || r == unicode.ReplacementChar || unicode.IsSpace(r) || !unicode.IsPrint(r)
	}) {
		s = strconv.QuoteToASCII(s)
	}
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "..."
	}
	return s
}

// OrDash is what stands in a cell that has nothing to say.
func OrDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// Counted is a number of things: "1 session", "2,000 sessions".
func Counted[T int | int64 | uint64](n T, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return Count(n) + " " + noun + "s"
}

// Text is a text of several words from outside that cannot spoil a terminal, and is as wide as it is long: what is
// not printable ASCII is escaped.
func Text(s string) string {
	var b strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		if ' ' <= r && r <= '~' {
			b.WriteRune(r)
		} else {
			quoted := strconv.QuoteToASCII(s[:size])
			b.WriteString(quoted[1 : len(quoted)-1])
		}
		s = s[size:]
	}
	return b.String()
}
