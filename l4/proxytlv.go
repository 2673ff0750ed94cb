package l4

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/pires/go-proxyproto"
)

// proxyChecksum is the size of the value of a PP2_TYPE_CRC32C.
const proxyChecksum = 4

// noChecksum stands for the checksum while it is computed.
var noChecksum = make([]byte, proxyChecksum)

// castagnoli is the polynomial of CRC32C (RFC 9260, appendix A).
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// cutTLV takes the first TLV off tlvs: type 1, length 2, value. ok is false if it is cut short.
func cutTLV(tlvs []byte) (typ proxyproto.PP2Type, value, rest []byte, ok bool) {
	if len(tlvs) < 3 {
		return 0, nil, nil, false
	}
	end := 3 + int(binary.BigEndian.Uint16(tlvs[1:]))
	if end > len(tlvs) {
		return 0, nil, nil, false
	}
	return proxyproto.PP2Type(tlvs[0]), tlvs[3:end], tlvs[end:], true
}

// findTLV is the value of the first TLV of a type.
func findTLV(tlvs []byte, typ proxyproto.PP2Type) (value []byte, found bool) {
	for len(tlvs) > 0 {
		t, value, after, ok := cutTLV(tlvs)
		if !ok {
			break
		}
		if t == typ {
			return value, true
		}
		tlvs = after
	}
	return nil, false
}

// checkTLVs says what is wrong with the TLVs that a header has from an offset on, and verifies the CRC32C
// if there is one, which the specification demands of those that can (2.2.3).
func checkTLVs(header []byte, offset int) error {
	checksum := -1 // where its value is
	for rest := header[offset:]; len(rest) > 0; {
		typ, value, after, ok := cutTLV(rest)
		if !ok {
			return badProxy("tlv", "the TLV at byte %d runs over the end", len(header)-len(rest))
		}
		switch typ {
		case proxyproto.PP2_TYPE_UNIQUE_ID:
			if len(value) > proxyUniqueIDMax {
				return badProxy("tlv", "a unique id of %d bytes, at most %d are allowed", len(value), proxyUniqueIDMax)
			}
		case proxyproto.PP2_TYPE_CRC32C:
			if len(value) != proxyChecksum {
				return badProxy("tlv", "a CRC32C of %d bytes, not %d", len(value), proxyChecksum)
			}
			if checksum >= 0 {
				return badProxy("tlv", "two CRC32C")
			}
			checksum = len(header) - len(after) - proxyChecksum
		}
		rest = after
	}
	if checksum < 0 {
		return nil
	}
	if got, want := binary.BigEndian.Uint32(header[checksum:]), proxySum(header, checksum); got != want {
		return badProxy("checksum", "CRC32C %#08x, but the header has %#08x", got, want)
	}
	return nil
}

// proxySum is the CRC32C of a header as it must stand at an offset, counting zeros there.
func proxySum(header []byte, offset int) uint32 {
	sum := crc32.Update(0, castagnoli, header[:offset])
	sum = crc32.Update(sum, castagnoli, noChecksum)
	return crc32.Update(sum, castagnoli, header[offset+proxyChecksum:])
}
