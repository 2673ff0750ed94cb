//go:build interop && linux

package interop

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
)

// This file makes ClientHellos (RFC 8446, 4.1.2; RFC 6066, 3), good and bad, with nothing of Sluice's.

// A hello is a ClientHello before it is written. The zero value asks for nobody.
type hello struct {
	legacy     uint16 // legacy_version; 0: 0x0303
	sessionID  []byte
	extensions []extension
	length     int // of the handshake message, as claimed; 0: the real one
	trailing   []byte
}

type extension struct {
	typ   uint16
	value []byte
}

const serverName, padding = 0, 21

// helloFor asks for a name, as clients do.
func helloFor(name string) hello {
	return hello{extensions: []extension{
		{10, []byte{0, 2, 0, 29}},                  // supported_groups: x25519
		sniOf(nameOf(0, name)),                     // server_name
		{16, []byte("\x00\x0c\x02h2\x08http/1.1")}, // ALPN
		{43, []byte{4, 3, 4, 3, 3}},                // supported_versions: 1.3, 1.2
		{13, []byte{0, 6, 4, 3, 8, 4, 4, 1}},       // signature_algorithms: ECDSA, RSA-PSS, PKCS1, of SHA-256
		{51, []byte{0, 0}},                         // key_share: none yet
	}}
}

// nameOf is an entry of a list of names.
func nameOf(typ byte, name string) []byte { return append([]byte{typ}, vector16([]byte(name))...) }

// sniOf is a server_name extension.
func sniOf(names ...[]byte) extension {
	return extension{serverName, vector16(slices.Concat(names...))}
}

// with is the hello with its server_name replaced by other extensions.
func (h hello) with(others ...extension) hello {
	var all []extension
	for _, e := range h.extensions {
		if e.typ == serverName {
			all = append(all, others...)
		} else {
			all = append(all, e)
		}
	}
	h.extensions = all
	return h
}

// padded is the hello with a handshake message of so many bytes (RFC 7685).
func (h hello) padded(size int) hello {
	h.extensions = append(slices.Clone(h.extensions), extension{padding, nil})
	h.extensions[len(h.extensions)-1].value = make([]byte, size-len(h.message()))
	return h
}

// message is the handshake message: type 1, length 3, then the hello.
func (h hello) message() []byte {
	b := binary.BigEndian.AppendUint16(nil, cmp.Or(h.legacy, 0x0303))
	b = append(b, bytes.Repeat([]byte{0xaa}, 32)...) // random
	b = append(append(b, byte(len(h.sessionID))), h.sessionID...)
	b = append(b, 0, 4, 0x13, 0x01, 0xc0, 0x2f, 1, 0) // two cipher suites, no compression
	var ext []byte
	for _, e := range h.extensions {
		ext = append(binary.BigEndian.AppendUint16(ext, e.typ), vector16(e.value)...)
	}
	b = append(append(b, vector16(ext)...), h.trailing...)
	length := cmp.Or(h.length, len(b))
	return append([]byte{1, byte(length >> 16), byte(length >> 8), byte(length)}, b...)
}

// bytes is the hello in as few records as it takes.
func (h hello) bytes() []byte { return records(0x0301, 1<<14, h.message()) }

// records cuts a message into handshake records of so many bytes: type 1, version 2, length 2.
func records(version uint16, size int, message []byte) (all []byte) {
	for part := range slices.Chunk(message, size) {
		all = append(all, record(22, version, part)...)
	}
	return all
}

func record(typ byte, version uint16, content []byte) []byte {
	return append(append([]byte{typ}, binary.BigEndian.AppendUint16(nil, version)...), vector16(content)...)
}

// vector16 is content behind its length in two bytes.
func vector16(content []byte) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(content))), content...)
}
