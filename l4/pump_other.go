//go:build !linux

package l4

import "net"

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

// unsent is not known here: a reset may overtake what was sent before it.
func unsent(...*net.TCPConn) int32 { return 0 }

// clientMoved is not known here without reading: a client that goes on sending while no node has answered
// is taken for one that waits.
func (s *copySession) clientMoved() bool { return false }
