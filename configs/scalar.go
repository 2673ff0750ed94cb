package configs

import (
	"fmt"
	"log/slog"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

const durationHint = `write a number and a unit, such as "500ms", "2s" or "1h30m"`

// duration reads a Go duration string. None of ours may be negative.
func (f *file) duration(e *entry, into *time.Duration) {
	s, ok := e.data.(string)
	if n, isNumber := e.data.(int64); isNumber {
		f.wrongType(e, "a duration", fmt.Sprintf(`write it in quotes, with its unit: "%ds"`, n))
		return
	}
	if !ok {
		f.wrongType(e, "a duration", durationHint)
		return
	}
	d, err := time.ParseDuration(s)
	switch {
	case err != nil:
		f.err(e, fmt.Sprintf("%s is not a duration", clipped(s)), meantDuration(s))
	case d < 0:
		f.err(e, fmt.Sprintf("%q is below zero", s), durationHint)
	default:
		*into = d
	}
}

// meantDuration guesses what a bad duration was to be.
func meantDuration(s string) string {
	s = strings.ToLower(strings.ReplaceAll(s, " ", ""))
	digits := strings.TrimRight(s, "abcdefghijklmnopqrstuvwxyz")
	n, err := strconv.ParseFloat(digits, 64)
	if err != nil || n < 0 || n > 1e6 {
		return durationHint
	}
	unit := s[len(digits):]
	switch unit {
	case "sec", "secs", "second", "seconds", "":
		unit = "s"
	case "min", "mins", "minute", "minutes":
		unit = "m"
	case "hr", "hrs", "hour", "hours":
		unit = "h"
	case "d", "day", "days":
		digits, unit = strconv.FormatFloat(n*24, 'f', -1, 64), "h"
	case "w", "week", "weeks":
		digits, unit = strconv.FormatFloat(n*24*7, 'f', -1, 64), "h"
	}
	if _, err := time.ParseDuration(digits + unit); err != nil {
		return durationHint
	}
	return fmt.Sprintf("did you mean %q?", digits+unit)
}

// level reads one of the four names. slog itself would also take "info+2".
func (f *file) level(e *entry, into *slog.Level) {
	s, ok := e.data.(string)
	names := words[reflect.TypeFor[slog.Level]()]
	switch {
	case !ok:
		f.wrongType(e, "a level", oneOf("", names))
	case !slices.Contains(names, s) || into.UnmarshalText([]byte(s)) != nil:
		f.err(e, fmt.Sprintf("%q is not known", s), oneOf(s, names))
	}
}

// fileMode reads permission bits as people know them: octal, in quotes.
func (f *file) fileMode(e *entry, into *FileMode) {
	const hint = `write permission bits as an octal string, such as "0660"`
	s, ok := e.data.(string)
	if !ok {
		f.wrongType(e, "a file mode", hint)
		return
	}
	bits, err := strconv.ParseUint(s, 8, 32)
	if err != nil || bits > 0o777 {
		f.err(e, fmt.Sprintf("%q is not a file mode", s), hint)
		return
	}
	*into = FileMode(bits)
}

// prefix reads a network, or one address as the network of only that.
func (f *file) prefix(e *entry, into *netip.Prefix) {
	const hint = `write a network such as "10.0.0.0/8" or "2001:db8::/32", or one address`
	s, ok := e.data.(string)
	if !ok {
		f.wrongType(e, "a network", hint)
		return
	}
	p, err := parsePrefix(s)
	if err != nil {
		f.err(e, fmt.Sprintf("%s is not a network", clipped(s)), hint)
		return
	}
	if p != p.Masked() {
		f.warn(e, fmt.Sprintf("%q has bits set behind its /%d, which do not count", s, p.Bits()), fmt.Sprintf("it is %q", p.Masked()))
	}
	*into = p.Masked()
}

// parsePrefix takes IPv4 that is written as IPv6 (::ffff:10.0.0.0/104) for what it is.
func parsePrefix(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err == nil && p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p, err
}
