//go:build !linux

package doctor

import "net"

func readTCPInfo(*net.TCPConn) (pmtu, mss int) { return 0, 0 }
