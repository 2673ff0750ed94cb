package sni

import "errors"

// Sizes of the record and handshake layers.
const (
	recordHeader    = 5       // type 1, version 2, length 2 (RFC 8446 section 5.1)
	maxRecord       = 1 << 14 // plaintext bytes in a record (the same)
	handshakeHeader = 4       // type 1, length 3 (RFC 8446 section 4)

	typeHandshake   = 22 // the only record type that a hello comes in
	typeClientHello = 1
)

const (
	// MaxHandshake is the length in bytes that a hello may claim for its body. It is the limit of
	// crypto/tls, so that the router never refuses what a node would take.
	MaxHandshake = 65536

	// MaxHello is the number of bytes within which every acceptable hello ends, and therefore all
	// that a reader needs to buffer: the longest message, one byte to a record, each with its
	// record header, and a last record that is longer than it need be. A hello in full records
	// takes no more than 65565 bytes, and a client has to send what it wants buffered: nothing is to be
	// allocated from a length that it claims.
	MaxHello = (handshakeHeader+MaxHandshake)*(recordHeader+1) + maxRecord - 1

	// MaxName is the length in bytes of the longest host name in text form (RFC 1035 section 2.3.4,
	// less the length byte of the first label and of the root).
	MaxName = 253
)

// ErrMore says that the bytes so far may become a hello. It is never returned for MaxHello bytes.
var ErrMore = errors.New("sni: the hello is not complete")

// ErrNotTLS says that the bytes do not begin like a TLS 1.0 to 1.3 (or SSL 3.0) handshake. An SSLv2
// hello is not TLS.
var ErrNotTLS = errors.New("sni: not TLS")

// Malformed is the error for bytes that begin like TLS and can never become a hello that a node
// would take. Its text is a constant, fit for a log or the label of a metric.
type Malformed string

// Error names the package and the reason.
func (m Malformed) Error() string { return "sni: malformed hello: " + string(m) }

// Hello is what a ClientHello asks for.
type Hello struct {
	// ServerName is the host name as the client sent it, for logs. It is the client's own bytes:
	// any of them may be there, so escape it wherever it is shown. Of a name longer than MaxName+1
	// only that many bytes are kept. It is empty if the client sent none.
	ServerName string

	// Name is the server name for [Table.Lookup]: lower case, without the one trailing dot that
	// some clients send. It is empty if there is no server name, and also if that is no host name:
	// an IP literal, or with a NUL, a space, a wildcard, a byte outside ASCII, an empty label.
	Name string

	// ALPN is the list of protocols that the client offers. It is a view of the bytes that were
	// parsed (or of [Parser.Scratch]) and valid as long as those are.
	ALPN ALPN

	// Size is the number of bytes of the records that hold the hello. What stands behind them in the
	// buffer, such as early data, belongs to the session too.
	Size int

	// Records is the number of records that hold the hello.
	Records int

	// Version is the highest version that the client offers, such as 0x0304 for TLS 1.3.
	Version uint16

	// ECH says that the hello carries an encrypted one, real or GREASE; the two cannot be told apart.
	ECH bool

	// EarlyData says that the client means to send early data (0-RTT) behind the hello without
	// waiting for an answer. Such data must not reach a second node.
	EarlyData bool
}

// Parser recognises one hello in a buffer that grows. It remembers which records it has checked,
// so that a hello that arrives byte by byte costs no more than one that arrives whole. The zero
// value is ready; a Parser is for one connection and not safe for concurrent use.
type Parser struct {
	// Scratch is where a hello that spans several records is put together. Its contents are
	// overwritten, and it is replaced if its capacity is too small. A hello in one record, which
	// nearly all are, does not use it.
	Scratch []byte

	end     int                   // bytes of the buffer whose records are whole and checked
	records int                   // how many records that is
	have    int                   // handshake bytes in them
	head    [handshakeHeader]byte // the handshake header, as far as it is there; zero beyond
}

// Parse gives its verdict on buf, which holds everything received so far from the first byte of
// the connection (behind a PROXY header, if there is one). Each call must be given the bytes of the
// call before, unchanged, and perhaps more.
//
// The error is nil for a hello, [ErrMore], [ErrNotTLS], or a [Malformed]. Impossible bytes are
// refused as soon as they are there, without waiting for those behind them. In the usual case,
// a lower-case name and one record, the server name is the only allocation.
func (p *Parser) Parse(buf []byte) (Hello, error) {
	for p.have < handshakeHeader || p.have < p.size() {
		if err := p.next(buf[p.end:]); err != nil {
			return Hello{}, err
		}
	}
	hello := Hello{Size: p.end, Records: p.records}
	if err := hello.parse(p.message(buf)); err != nil {
		return Hello{}, err
	}
	return hello, nil
}

// size is the length of the whole handshake message with its header, as far as it is known yet.
func (p *Parser) size() int {
	return handshakeHeader + int(p.head[1])<<16 + int(p.head[2])<<8 + int(p.head[3])
}

// next takes the record that rec begins with, if it is whole. What is there of it is checked in any
// case. Invariant: p is unchanged by an error but for head, which the next call fills again with
// the same bytes.
func (p *Parser) next(rec []byte) error {
	// Alert records are refused like any other, where crypto/tls skips warnings. No client sends one
	// before a server has spoken, and a handshake message must not be interleaved with
	// other records (RFC 8446 section 5.1).
	if len(rec) >= 1 && rec[0] != typeHandshake {
		return p.foreign("record of another type inside the hello")
	}
	// Every version up to TLS 1.3 has a major number of 3 on the wire, and hellos have been seen
	// with minor numbers 0 to 3. crypto/tls goes up to 15.255, which nobody speaks.
	if len(rec) >= 2 && rec[1] != 3 {
		return p.foreign("record version")
	}
	if len(rec) < recordHeader {
		return ErrMore
	}
	n := int(rec[3])<<8 | int(rec[4])
	if n == 0 {
		return Malformed("empty record") // RFC 8446 section 5.1 forbids it for handshake records
	}
	if n > maxRecord {
		return Malformed("record too long")
	}
	body := rec[recordHeader:min(recordHeader+n, len(rec))]
	if err := p.peek(body); err != nil {
		return err
	}
	if len(body) < n {
		return ErrMore
	}
	p.end += recordHeader + n
	p.have += n
	p.records++
	return nil
}

// foreign is the error for a record that is no part of a hello.
func (p *Parser) foreign(reason Malformed) error {
	if p.records == 0 {
		return ErrNotTLS
	}
	return reason
}

// peek checks as much of the handshake header as there is, if body continues it.
func (p *Parser) peek(body []byte) error {
	if p.have >= handshakeHeader {
		return nil
	}
	if copy(p.head[p.have:], body)+p.have == 0 {
		return nil
	}
	if p.head[0] != typeClientHello {
		return Malformed("handshake message of another type")
	}
	// The bytes of the length that are not there yet are zero, so size is never too big.
	if p.size() > handshakeHeader+MaxHandshake {
		return Malformed("message too long")
	}
	return nil
}

// message is the handshake message in one piece. What the last record holds behind it is left out,
// as crypto/tls does: it is not part of the hello and goes to the node with it.
// Invariant: all records of the message are in buf and checked.
func (p *Parser) message(buf []byte) []byte {
	size := p.size()
	if p.records == 1 {
		return buf[recordHeader : recordHeader+size]
	}
	if cap(p.Scratch) < p.have {
		p.Scratch = make([]byte, 0, p.have)
	}
	p.Scratch = p.Scratch[:0]
	for rec := buf[:p.end]; len(rec) > 0; {
		end := recordHeader + int(rec[3])<<8 + int(rec[4])
		p.Scratch = append(p.Scratch, rec[recordHeader:end]...)
		rec = rec[end:]
	}
	return p.Scratch[:size]
}
