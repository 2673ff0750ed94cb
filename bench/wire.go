//go:build linux

package main

import (
	"encoding/binary"
	"fmt"
)

// What clients and nodes of the benchmark say to each other.
//
// A request opens with a header of 32 bytes and is padded to its size. The header tells the node all it
// needs, so that one kind of node serves every scenario and keeps no state but the bytes of the request
// at hand. In a TLS ClientHello the same 32 bytes stand where the client's random number belongs: a
// balancer that routes by name sees a hello like any other, and the node finds its orders in it and answers
// without TLS.
const (
	headerSize = 32
	helloAt    = 5 + 4 + 2             // record header, handshake header, legacy version: then comes the random
	stashSize  = helloAt + headerSize  // what a node must have seen of a request to know its size
	minRequest = 64                    // Invariant: every request is longer than a stash
	recordTLS  = 0x16                  // first byte of a hello
	magic      = uint32(0xb5_53_4c_42) // first byte differs from recordTLS and from the G of a health check
	healthOK   = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
	bulkChunk  = 1 << 20  // most that one call sends or takes of a bulk stream
	maxMessage = 64 << 10 // most that a request or a response of opExchange may have
)

// op is what a request asks for.
type op byte

const (
	opExchange op = 'E' // answer with so many bytes
	opDown     op = 'D' // answer with a header, then send so many bytes
	opUp       op = 'U' // take so many bytes, then answer with a header
)

// header is the beginning of a request, and of its response, which repeats it.
//
//	magic 4 | op 1 | flags 1 | 0 2 | request 4 | response 4 | bulk 8 | id 8
type header struct {
	op        op
	nodeFirst bool   // the node closes after the response; else it waits for the client to
	request   uint32 // size of the request, header included
	response  uint32 // opExchange: size of the response, header included; opDown: most KiB/s, 0 for no limit
	bulk      uint64 // opDown, opUp: bytes that follow
	id        uint64 // given back, so that a client knows the answer is its own
}

// put writes h into the first headerSize bytes of b.
func (h header) put(b []byte) {
	binary.BigEndian.PutUint32(b, magic)
	b[4] = byte(h.op)
	b[5], b[6], b[7] = 0, 0, 0
	if h.nodeFirst {
		b[5] = 1
	}
	binary.BigEndian.PutUint32(b[8:], h.request)
	binary.BigEndian.PutUint32(b[12:], h.response)
	binary.BigEndian.PutUint64(b[16:], h.bulk)
	binary.BigEndian.PutUint64(b[24:], h.id)
}

// parseHeader reads what put wrote.
func parseHeader(b []byte) (header, error) {
	if got := binary.BigEndian.Uint32(b); got != magic {
		return header{}, fmt.Errorf("message opens with %#08x, want %#08x", got, magic)
	}
	return header{
		op:        op(b[4]),
		nodeFirst: b[5] == 1,
		request:   binary.BigEndian.Uint32(b[8:]),
		response:  binary.BigEndian.Uint32(b[12:]),
		bulk:      binary.BigEndian.Uint64(b[16:]),
		id:        binary.BigEndian.Uint64(b[24:]),
	}, nil
}

// parseRequest finds the header in the first stashSize bytes of a request, which may be a ClientHello.
func parseRequest(b []byte) (header, error) {
	if b[0] != recordTLS {
		return parseHeader(b)
	}
	h, err := parseHeader(b[helloAt:])
	h.request = 5 + uint32(binary.BigEndian.Uint16(b[3:])) // the record knows best
	return h, err
}
