package sni

import "slices"

// parse fills in everything that stands in the message of a whole hello, its handshake header
// included (RFC 8446 section 4.1.2):
//
//	type 1, length 3, legacy_version 2, random 32, session_id <1>, cipher_suites <2>,
//	compression_methods <1>, extensions <2> or nothing
//
// where <n> is a vector behind a length of n bytes. Lengths are held to exactly as crypto/tls
// does, no stricter: a session identifier of 33 bytes is the node's to refuse.
func (h *Hello) parse(msg []byte) error {
	c := cursor(msg)
	var ciphers, extensions cursor
	if !c.skip(handshakeHeader) || !c.uint16(&h.Version) || !c.skip(32) || !c.vector8(nil) ||
		!c.vector16(&ciphers) || len(ciphers)%2 != 0 || !c.vector8(nil) {
		return Malformed("length before the extensions")
	}
	if len(c) == 0 {
		return nil // hellos before TLS 1.2 may end here
	}
	if !c.vector16(&extensions) {
		return Malformed("length of the extensions")
	}
	if len(c) > 0 {
		return Malformed("bytes behind the extensions")
	}
	return h.parseExtensions(extensions)
}

// parseExtensions walks the extensions: type 2, data <2>, again and again.
func (h *Hello) parseExtensions(all cursor) error {
	var seen typeSet
	for rest := all; len(rest) > 0; {
		var typ uint16
		var data cursor
		if !rest.uint16(&typ) || !rest.vector16(&data) {
			return Malformed("length of an extension")
		}
		if !seen.add(typ) {
			return Malformed("extension twice")
		}
		if typ == extPreSharedKey && len(rest) > 0 {
			return Malformed("pre_shared_key not last") // RFC 8446 section 4.2.11
		}
		if err := h.parseExtension(typ, data); err != nil {
			return err
		}
	}
	if seen.overflow && repeated(all) {
		return Malformed("extension twice")
	}
	return nil
}

// typeSet finds an extension type that comes twice, without allocating. Real hellos carry about
// twenty; more than fit are left to repeated.
type typeSet struct {
	types    [32]uint16
	n        int
	overflow bool
}

// add reports whether typ is new, as far as it can tell.
func (s *typeSet) add(typ uint16) bool {
	if slices.Contains(s.types[:s.n], typ) {
		return false
	}
	if s.n == len(s.types) {
		s.overflow = true
		return true
	}
	s.types[s.n] = typ
	s.n++
	return true
}

// repeated reports whether a type occurs twice in a list of extensions that is known to be well
// formed. Its cost is linear, as 64 KiB hold 16384 extensions; a function of its own keeps its 8 KiB off
// the stack of those who don't need it.
//
//go:noinline
func repeated(all cursor) bool {
	var seen [1 << 16 / 64]uint64
	for len(all) > 0 {
		var typ uint16
		var data cursor
		if !all.uint16(&typ) || !all.vector16(&data) {
			return false
		}
		bit := uint64(1) << (typ % 64)
		if seen[typ/64]&bit != 0 {
			return true
		}
		seen[typ/64] |= bit
	}
	return false
}

// cursor is the rest of a message. Its methods consume from the front and report false if too
// little is left, in which case the message is refused and what they have consumed is of no
// interest.
type cursor []byte

// skip passes over n bytes.
func (c *cursor) skip(n int) bool {
	if len(*c) < n {
		return false
	}
	*c = (*c)[n:]
	return true
}

// uint8 reads one byte.
func (c *cursor) uint8(out *uint8) bool {
	if len(*c) < 1 {
		return false
	}
	*out = (*c)[0]
	*c = (*c)[1:]
	return true
}

// uint16 reads a number of two bytes.
func (c *cursor) uint16(out *uint16) bool {
	if len(*c) < 2 {
		return false
	}
	*out = uint16((*c)[0])<<8 | uint16((*c)[1])
	*c = (*c)[2:]
	return true
}

// vector8 reads a vector behind a length of one byte. out may be nil.
func (c *cursor) vector8(out *cursor) bool {
	var n uint8
	return c.uint8(&n) && c.take(int(n), out)
}

// vector16 reads a vector behind a length of two bytes. out may be nil.
func (c *cursor) vector16(out *cursor) bool {
	var n uint16
	return c.uint16(&n) && c.take(int(n), out)
}

// take reads n bytes. out may be nil.
func (c *cursor) take(n int, out *cursor) bool {
	if len(*c) < n {
		return false
	}
	if out != nil {
		*out = (*c)[:n]
	}
	*c = (*c)[n:]
	return true
}
