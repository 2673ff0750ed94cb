//go:build linux

package cluster

import (
	"fmt"
	"net"
	"net/netip"
)

// A Block is a run of loopback addresses that one cluster and the balancer in front of it have for
// themselves: 127.0.N.1 to 127.0.N.4 for the nodes, 127.0.N.100 for the balancer. It is immutable and
// safe for concurrent use. It is held, against every other process of the machine, until Close.
type Block struct {
	third  byte         // N
	s3     uint16       // port of the S3 API; the Console is on the next one
	holder net.Listener // whoever has this has the block
}

const (
	blocks       = 40 // how many are looked at before giving up
	balancerHost = 100
	holderHost   = 250
	holderPort   = 9009
	firstS3      = 9000
)

// Reserve takes the first block whose addresses are all free: 127.0.1.x with ports 9000 and 9001
// where it can. The caller closes it after the cluster and the balancer.
func Reserve() (*Block, error) {
	for i := range blocks {
		// Trap: whatever --address says, every node listens on 127.0.0.1 as well, with its S3 port and
		// SO_REUSEPORT, for its own Console. Two clusters of one user with the same port would silently
		// share that address and answer for each other. So each block has ports of its own, too.
		b := &Block{third: byte(1 + i), s3: uint16(firstS3 + 10*i)}
		if b.take() {
			return b, nil
		}
	}
	return nil, fmt.Errorf("no free loopback addresses for a cluster: looked at 127.0.1.x:%d to 127.0.%d.x:%d; is port %d in use on every address?",
		firstS3, blocks, firstS3+10*(blocks-1), firstS3)
}

// take reserves the block if all of its addresses are free, the nodes' own 127.0.0.1 among them.
func (b *Block) take() bool {
	holder, err := net.Listen("tcp4", netip.AddrPortFrom(b.host(holderHost), holderPort).String())
	if err != nil {
		return false
	}
	for _, a := range b.addresses() {
		ln, err := net.Listen("tcp4", a.String())
		if err != nil {
			holder.Close()
			return false
		}
		ln.Close()
	}
	b.holder = holder
	return true
}

func (b *Block) addresses() []netip.AddrPort {
	all := []netip.AddrPort{
		netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), b.s3),
		b.BalancerS3(), b.BalancerConsole(), b.BalancerTLS(),
	}
	for i := range Size {
		all = append(all, b.S3(i), b.Console(i))
	}
	return all
}

func (b *Block) host(last byte) netip.Addr {
	return netip.AddrFrom4([4]byte{127, 0, b.third, last})
}

// S3 is the S3 address of node i, counted from 0.
func (b *Block) S3(i int) netip.AddrPort { return netip.AddrPortFrom(b.host(byte(1+i)), b.s3) }

// Console is the Console address of node i, counted from 0.
func (b *Block) Console(i int) netip.AddrPort {
	return netip.AddrPortFrom(b.host(byte(1+i)), b.s3+1)
}

// Balancer is the balancer's host address. It is never 127.0.0.1, where the nodes listen too.
func (b *Block) Balancer() netip.Addr { return b.host(balancerHost) }

// BalancerS3 is where the balancer serves the S3 API, on the same port as the nodes.
func (b *Block) BalancerS3() netip.AddrPort { return netip.AddrPortFrom(b.Balancer(), b.s3) }

// BalancerConsole is where the balancer serves the Console, on the same port as the nodes.
func (b *Block) BalancerConsole() netip.AddrPort { return netip.AddrPortFrom(b.Balancer(), b.s3+1) }

// BalancerTLS is where the balancer routes by server name: port 9443 for the first block.
func (b *Block) BalancerTLS() netip.AddrPort { return netip.AddrPortFrom(b.Balancer(), b.s3+443) }

// Close gives the addresses back.
func (b *Block) Close() error { return b.holder.Close() }
