package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// How figures are shown to people.

// sizeOf is a number of bytes with three digits at least: 999 B, 1.5 MiB, 123 GiB.
func sizeOf(n uint64) string {
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

// countOf is a number with its thousands apart: 12,345.
func countOf[T int | int64 | uint64](n T) string {
	digits := strconv.FormatUint(uint64(max(n, 0)), 10)
	for at := len(digits) - 3; at > 0; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return digits
}

// ageOf is a time in the two largest units that say something: 12s, 3m4s, 5h12m, 2d3h.
func ageOf(seconds float64) string {
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

// msOf is a latency in milliseconds.
func msOf(seconds float64) string {
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

// plainly is a text from outside that cannot spoil a table or a terminal: quoted where it is not plain.
func plainly(s string) string {
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

// orDash is what stands in a cell that has nothing to say.
func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
