package sni

import "iter"

// ALPN is the list of protocols in a hello, in the client's order of preference and in wire form:
// each behind a length of one byte (RFC 7301 section 3.1). A nil ALPN offers nothing. It comes
// checked out of [Parser.Parse]; [Offer] makes one.
type ALPN []byte

// Offer is the ALPN of a client that offers protocols. Those that are empty or longer than 255 bytes
// have no wire form and are left out.
func Offer(protocols ...string) ALPN {
	var a ALPN
	for _, p := range protocols {
		if 0 < len(p) && len(p) < 256 {
			a = append(append(a, byte(len(p))), p...)
		}
	}
	return a
}

// All yields the protocols. They are views of the hello's bytes, and those are the client's own:
// escape them wherever they are shown.
func (a ALPN) All() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		rest := cursor(a)
		var p cursor
		for rest.vector8(&p) {
			if !yield(p) {
				return
			}
		}
	}
}

// Offers reports whether protocol is in the list. It does not allocate.
func (a ALPN) Offers(protocol string) bool {
	rest := cursor(a)
	var p cursor
	for rest.vector8(&p) {
		if string(p) == protocol {
			return true
		}
	}
	return false
}

// Protocols is a copy of at most n protocols, which outlives the hello's bytes.
func (a ALPN) Protocols(n int) []string {
	var list []string
	for p := range a.All() {
		if len(list) == n {
			break
		}
		list = append(list, string(p))
	}
	return list
}
