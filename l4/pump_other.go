//go:build !linux

package l4

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
)

// pump moves a flow to its end, through user space.
func pump(f *copyFlow) error {
	reading, err := copyCounted(f.dst, f.src, f.total)
	if err != nil {
		f.cut = f.from
		if !reading {
			f.cut = f.from.other()
		}
	}
	return err
}

// moved is a number that changes when a byte moves in either direction.
func (s *copySession) moved() uint64 { return s.live.in.Load() + s.live.out.Load() }

// soFar: everything is known.
func (s *copySession) soFar(*session) {}

// unsent is not known here: a reset may overtake what was sent before it.
func unsent(...*net.TCPConn) int32 { return 0 }

// clientMoved is not known here without reading: a client that goes on sending while no node has answered
// is taken for one that waits.
func (s *copySession) clientMoved() bool { return false }

// writeMore is a write like any other here.
func writeMore(c *net.TCPConn, b []byte) error {
	_, err := c.Write(b)
	return err
}

// copyCounted copies from src to dst through user space and counts as it goes.
func copyCounted(dst io.Writer, src io.Reader, total *atomic.Uint64) (reading bool, err error) {
	buf := copyBuffers.Get().(*[copyBufferSize]byte)
	defer copyBuffers.Put(buf)
	for {
		n, err := src.Read(buf[:])
		if n > 0 {
			if _, err := dst.Write(buf[:n]); err != nil {
				return false, err
			}
			total.Add(uint64(n))
		}
		if err == io.EOF {
			return true, nil
		}
		if err != nil {
			return true, err
		}
	}
}

const copyBufferSize = 64 << 10

var copyBuffers = sync.Pool{New: func() any { return new([copyBufferSize]byte) }}
