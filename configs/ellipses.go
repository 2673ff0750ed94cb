package configs

import (
	"fmt"
	"strconv"
	"strings"
)

// maxNodes bounds how many nodes a pool may have, and so what a slip in an ellipsis may cost.
const maxNodes = 4096

// expand writes out MinIO's ellipses: "node{1...3}" is node1, node2 and node3. There may be several
// in one pattern; as with MinIO, the leftmost counts fastest. A pattern without any is itself.
//
// The rules are those of MinIO's own notation, so that a line can be copied from its start command:
//   - both ends belong to the range, and the second is not the smaller one
//   - numbers are decimal; if one end has a digit above 9 they are hexadecimal, in lower case
//   - a leading zero at either end, as in {01...12}, fills all numbers up to the width of the second
//
// One thing is refused that MinIO takes: of {10...1f} it would read only the second end as hexadecimal.
//
// A pattern that stands for more than most is an error, found before it is written out.
func expand(pattern string, most int) ([]string, error) {
	texts, ranges, err := ellipses(pattern)
	if err != nil {
		return nil, err
	}
	total := 1
	for _, r := range ranges {
		if n := r.last - r.first; n >= uint64(most) || total > most/int(n+1) {
			return nil, fmt.Errorf("%q stands for more than %d addresses", pattern, most)
		}
		total *= int(r.last-r.first) + 1
	}

	expanded := make([]string, 0, total)
	var b strings.Builder
	for i := range total {
		b.Reset()
		b.WriteString(texts[0])
		for k, r := range ranges {
			n := int(r.last-r.first) + 1
			fmt.Fprintf(&b, r.format, r.first+uint64(i%n))
			b.WriteString(texts[k+1])
			i /= n
		}
		expanded = append(expanded, b.String())
	}
	return expanded, nil
}

// span is one {first...last}.
type span struct {
	first, last uint64
	format      string // of one number, for fmt
}

// ellipses splits a pattern into its ranges and the texts around them, which are one more.
func ellipses(pattern string) (texts []string, ranges []span, err error) {
	rest := pattern
	for {
		text, after, found := strings.Cut(rest, "{")
		if strings.Contains(text, "}") || strings.Contains(text, "...") {
			return nil, nil, fmt.Errorf("%q has an ellipsis that is not between { and }", pattern)
		}
		texts = append(texts, text)
		if !found {
			return texts, ranges, nil
		}
		inside, after, found := strings.Cut(after, "}")
		if !found {
			return nil, nil, fmt.Errorf("%q has a { without its }", pattern)
		}
		r, err := parseSpan(inside)
		if err != nil {
			return nil, nil, err
		}
		ranges = append(ranges, r)
		rest = after
	}
}

// parseSpan reads what stands between the braces: "1...4".
func parseSpan(s string) (span, error) {
	bad := fmt.Errorf("{%s} is no range", s)
	from, to, found := strings.Cut(s, "...")
	if !found || s != strings.ToLower(s) {
		return span{}, bad
	}
	base, verb := 10, "d"
	decimal := func(digits string) bool { return strings.Trim(digits, "0123456789") == "" }
	if !decimal(from) || !decimal(to) {
		base, verb = 16, "x"
		if decimal(from) && trimmed(from) > 1 || decimal(to) && trimmed(to) > 1 {
			return span{}, fmt.Errorf("{%s} can be read in two ways: MinIO takes only one of its ends for hexadecimal", s)
		}
	}
	first, err1 := strconv.ParseUint(from, base, 64)
	last, err2 := strconv.ParseUint(to, base, 64)
	switch {
	case err1 != nil || err2 != nil:
		return span{}, bad
	case first > last:
		return span{}, fmt.Errorf("{%s} counts down", s)
	}
	format := "%" + verb
	if len(from) > 1 && from[0] == '0' || to[0] == '0' {
		format = "%0" + strconv.Itoa(len(to)) + verb
	}
	return span{first: first, last: last, format: format}, nil
}

// trimmed is the length of a number without leading zeros.
func trimmed(digits string) int { return len(strings.TrimLeft(digits, "0")) }
