package l4

import (
	"bytes"
	"crypto/tls"
	"reflect"
	"unsafe"
)

// A tlsInput is where a tls.Conn keeps what it has read from its connection.
//
// crypto/tls makes these buffers as large as the largest record that came, and keeps them as long as the
// connection lives: some 18 to 36 KiB for every session that has ever sent a full record, however long it has
// been silent since (golang.org/issue/42035), and 2 KiB more for the hello. There is no way to ask for them, so
// this reaches for the unexported fields. Rule zero: it is done because memory for each idle session is what this product is
// measured by. It is safe because a field is used only if it has this name and type (else nothing is lent, and
// sessions cost what they cost elsewhere), and because it is done by the one goroutine that reads, between two
// reads, when both are empty or hold a known rest. TestLentInput fails when a new Go release changes them.
type tlsInput struct {
	raw   *bytes.Buffer // records as they came; plain text that was not read yet lies in its memory
	plain *bytes.Reader // that plain text
	lent  *buffer       // what raw was given to work with; nil: nothing
}

// Where the fields are in a tls.Conn.
var rawOffset, plainOffset, handOffset, inputKnown = func() (raw, plain, hand uintptr, ok bool) {
	field := func(name string, t reflect.Type) uintptr {
		f, has := reflect.TypeFor[tls.Conn]().FieldByName(name)
		ok = ok && has && f.Type == t
		return f.Offset
	}
	ok = true
	raw = field("rawInput", reflect.TypeFor[bytes.Buffer]())
	plain = field("input", reflect.TypeFor[bytes.Reader]())
	hand = field("hand", reflect.TypeFor[bytes.Buffer]())
	return raw, plain, hand, ok
}()

// inputOf is the input of a connection whose handshake is over: of its messages nothing is kept.
func inputOf(c *tls.Conn) tlsInput {
	if !inputKnown {
		return tlsInput{}
	}
	if hand := (*bytes.Buffer)(unsafe.Add(unsafe.Pointer(c), handOffset)); hand.Len() == 0 {
		*hand = bytes.Buffer{}
	}
	return tlsInput{
		raw:   (*bytes.Buffer)(unsafe.Add(unsafe.Pointer(c), rawOffset)),
		plain: (*bytes.Reader)(unsafe.Add(unsafe.Pointer(c), plainOffset)),
	}
}

// empty reports whether nothing that was read is left, not even the beginning of a record.
func (in *tlsInput) empty() bool {
	return in.raw != nil && in.raw.Len() == 0 && in.plain.Len() == 0
}

// lend gives the connection a large buffer to read into: several records in one system call.
func (in *tlsInput) lend() {
	if in.raw == nil || in.lent != nil || in.plain.Len() > 0 {
		return
	}
	in.lent = takeBuffer()
	rest := append(in.lent[:0], in.raw.Bytes()...)
	*in.raw = *bytes.NewBuffer(rest)
}

// reclaim takes back what was lent, and leaves the connection no more than the beginning of a record that has
// not come in full.
func (in *tlsInput) reclaim() {
	if in.lent == nil || in.plain.Len() > 0 {
		return
	}
	rest := bytes.Clone(in.raw.Bytes()) // nil if there is none
	if len(rest) == 0 {
		rest = nil
	}
	*in.raw = *bytes.NewBuffer(rest)
	*in.plain = bytes.Reader{} // it pointed into the buffer
	in.lent.giveBack()
	in.lent = nil
}
