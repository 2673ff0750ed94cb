package l4

import "math/bits"

// buffers keeps the few byte slices that outlive a turn of a loop: what a full socket did not take, and
// hellos until a node has answered. They come in powers of two from 512 bytes to 128 KiB.
//
// It belongs to one loop; the zero value is ready.
type buffers struct {
	class [9][][]byte
}

// maxSpare bounds the bytes that wait for reuse in one class.
const maxSpare = 1 << 20

// keep returns a copy of b with a capacity of at least size, to be given back with release.
func (p *buffers) keep(b []byte, size int) []byte {
	size = max(size, len(b))
	c := classOf(size)
	if c >= len(p.class) {
		return append(make([]byte, 0, size), b...)
	}
	if n := len(p.class[c]); n > 0 {
		got := p.class[c][n-1]
		p.class[c] = p.class[c][:n-1]
		return append(got, b...)
	}
	return append(make([]byte, 0, 512<<c), b...)
}

// release takes a slice back that keep returned, whatever part of it is left.
func (p *buffers) release(b []byte) {
	c := classOf(cap(b))
	if c < len(p.class) && cap(b) == 512<<c && len(p.class[c])<<c < maxSpare/512 {
		p.class[c] = append(p.class[c], b[:0])
	}
}

func classOf(size int) int {
	return max(0, bits.Len(uint(size-1))-9)
}
