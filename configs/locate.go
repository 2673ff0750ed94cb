package configs

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxDepth is how deep tables and lists may nest, and how many parts a dotted key may have. The schema
// needs 5. Without a bound a hostile file costs time and stack with the square of its size.
const maxDepth = 32

// locate finds where the keys and values of a TOML text stand, which the TOML library does not tell
// for the elements of a list. It only has to be right about a text that the library takes: on any
// other it ends, without a panic, with a tree of no use.
//
// deep is the offset of something that is nested deeper than maxDepth, or -1.
func locate(src string) (root *entry, deep int) {
	l := &locator{src: src, deep: -1}
	root = newEntry(nil, "", -1, 0)
	table := root
	for l.space(); !l.done(); l.space() {
		if l.peek() == '[' {
			table = l.header(root, table)
		} else {
			l.pair(table)
		}
	}
	return root, l.deep
}

// locator walks over the text once, from left to right. Every method but peek and done moves at, and
// none moves it back.
type locator struct {
	src   string
	at    int
	depth int
	deep  int
}

// done says that there is nothing left to look at.
func (l *locator) done() bool { return l.at >= len(l.src) || l.deep >= 0 }

// peek is the byte ahead, or 0 at the end.
func (l *locator) peek() byte {
	if l.at < len(l.src) {
		return l.src[l.at]
	}
	return 0
}

// skip passes over all bytes that are in set, skipTo over all that are not.
func (l *locator) skip(set string) {
	for l.at < len(l.src) && strings.IndexByte(set, l.src[l.at]) >= 0 {
		l.at++
	}
}

func (l *locator) skipTo(set string) {
	for l.at < len(l.src) && strings.IndexByte(set, l.src[l.at]) < 0 {
		l.at++
	}
}

// space passes over white space, line ends and comments.
func (l *locator) space() {
	for l.skip(" \t\r\n"); l.peek() == '#'; l.skip(" \t\r\n") {
		l.skipTo("\n")
	}
}

// header reads [a.b] or [[a.b]] and returns the table that the lines below it fill.
func (l *locator) header(root, current *entry) *entry {
	list := strings.HasPrefix(l.src[l.at:], "[[")
	l.skip("[")
	parts := l.keyParts()
	if len(parts) == 0 {
		l.skipTo("\n")
		return current
	}
	l.skip("]")

	table, last := root, parts[len(parts)-1]
	for _, p := range parts[:len(parts)-1] {
		table = table.child(p.name, p.at).latest()
	}
	table = table.child(last.name, last.at)
	if list {
		return table.add(last.at)
	}
	table.key, table.value = last.at, last.at // it may have been implied by a header before
	return table
}

// pair reads key = value.
func (l *locator) pair(table *entry) {
	parts := l.keyParts()
	if len(parts) == 0 || l.peek() != '=' {
		l.skipTo("\n")
		return
	}
	l.at++
	e, last := table, parts[len(parts)-1]
	for _, p := range parts[:len(parts)-1] {
		e = e.child(p.name, p.at).latest()
	}
	l.read(e.child(last.name, last.at))
}

// read reads the value of e.
func (l *locator) read(e *entry) {
	l.skip(" \t")
	e.value = l.at
	switch l.peek() {
	case '[':
		l.nested(']', func() { l.read(e.add(l.at)) })
	case '{':
		l.nested('}', func() { l.pair(e) })
	case '"', '\'':
		l.quoted()
	default:
		l.skipTo(",]}#\n")
	}
}

// nested reads what stands between brackets, one after the other.
func (l *locator) nested(end byte, read func()) {
	if l.depth++; l.depth > maxDepth {
		l.deep = l.at
		return
	}
	l.at++
	for l.space(); !l.done() && l.peek() != end; l.space() {
		before := l.at
		read()
		l.space()
		l.skip(",")
		if l.at == before {
			l.at++ // not TOML
		}
	}
	if !l.done() {
		l.at++
	}
	l.depth--
}

// part is one word of a dotted key.
type part struct {
	name string
	at   int
}

// keyParts reads a.b."c d" and the white space behind it.
func (l *locator) keyParts() (parts []part) {
	for {
		l.skip(" \t")
		p := part{at: l.at}
		switch c := l.peek(); {
		case c == '"' || c == '\'':
			p.name = l.quoted()
		default:
			l.skipTo(" \t\r\n.=#[]{},\"'")
			p.name = l.src[p.at:l.at]
		}
		if l.at == p.at {
			return nil // an empty word is not TOML
		}
		if parts = append(parts, p); len(parts) > maxDepth {
			l.deep = p.at
			return nil
		}
		l.skip(" \t")
		if l.peek() != '.' {
			return parts
		}
		l.at++
	}
}

// quoted reads any of the four kinds of strings and returns what a one-line one says.
func (l *locator) quoted() string {
	quote := l.src[l.at : l.at+1]
	if long := strings.Repeat(quote, 3); strings.HasPrefix(l.src[l.at:], long) {
		l.at += 3
		l.close(long)
		for range 2 { // up to two quotes may stand before the three that end it
			if strings.HasPrefix(l.src[l.at:], quote) {
				l.at++
			}
		}
		return ""
	}
	l.at++
	from := l.at
	l.close(quote)
	text := strings.TrimSuffix(l.src[from:l.at], quote)
	if quote == `"` {
		return unescape(text)
	}
	return text
}

// close moves behind the next end. In a string in double quotes a backslash hides what follows it.
func (l *locator) close(end string) {
	for l.at < len(l.src) {
		switch {
		case end[0] == '"' && l.src[l.at] == '\\':
			l.at = min(l.at+2, len(l.src))
		case strings.HasPrefix(l.src[l.at:], end):
			l.at += len(end)
			return
		case len(end) == 1 && l.src[l.at] == '\n':
			return // not TOML
		default:
			l.at++
		}
	}
}

// unescape resolves the escapes of a basic string (TOML 1.1, "String").
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		digits := 0
		switch s[i] {
		case 'b':
			b.WriteByte('\b')
		case 't':
			b.WriteByte('\t')
		case 'n':
			b.WriteByte('\n')
		case 'f':
			b.WriteByte('\f')
		case 'r':
			b.WriteByte('\r')
		case 'e':
			b.WriteByte(0x1b)
		case 'x':
			digits = 2
		case 'u':
			digits = 4
		case 'U':
			digits = 8
		default:
			b.WriteByte(s[i])
		}
		if digits == 0 {
			continue
		}
		hex := s[i+1 : min(i+1+digits, len(s))]
		code, err := strconv.ParseUint(hex, 16, 32)
		if err != nil || code > utf8.MaxRune {
			code = utf8.RuneError // not TOML
		}
		b.WriteRune(rune(code))
		i += len(hex)
	}
	return b.String()
}
