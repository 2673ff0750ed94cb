//go:build !linux

package admin

import "net"

// peerIsThisProcess is not known here: such a socket is taken for somebody else's.
func peerIsThisProcess(net.Conn) bool { return false }
