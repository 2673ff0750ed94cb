package l4

import "sync"

// A buffer is where bytes are while they pass through this process. All have one size, and they are shared:
// a session has one only while bytes are in it.
type buffer [bufferSize]byte

// bufferSize is what one system call moves where TLS ends here: plainSize bytes and what their records add.
// The first records of a session have a kilobyte and grow (crypto/tls), so plainSize bytes may be 55 records
// with up to 29 bytes each for header, nonce, type and tag.
const (
	plainSize  = 64 << 10
	bufferSize = plainSize + 8<<10
)

var spareBuffers = sync.Pool{New: func() any { return new(buffer) }}

func takeBuffer() *buffer { return spareBuffers.Get().(*buffer) }

// giveBack makes a buffer somebody else's. It may be called for nil.
func (b *buffer) giveBack() {
	if b != nil {
		spareBuffers.Put(b)
	}
}
