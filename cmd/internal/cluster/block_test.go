//go:build linux

package cluster

import (
	"net"
	"net/netip"
	"os"
	"testing"
)

func TestReserveGivesEachItsOwn(t *testing.T) {
	a, err := Reserve()
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	b, err := Reserve()
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()

	taken := map[string]bool{}
	for _, block := range []*Block{a, b} {
		for _, addr := range block.addresses() {
			if taken[addr.String()] {
				t.Errorf("%s is in both blocks", addr)
			}
			taken[addr.String()] = true
		}
		if block.Balancer().String() == "127.0.0.1" {
			t.Error("the balancer is on 127.0.0.1, where the nodes listen")
		}
	}
}

func TestTakeRefusesWhatIsInUse(t *testing.T) {
	// A block that Reserve never gets to, and another for each process that runs this test.
	own := func() *Block {
		return &Block{third: byte(blocks + 1 + os.Getpid()%200), s3: uint16(12000 + os.Getpid()%20000)}
	}
	free := own()
	if !free.take() {
		t.Skip("even an unusual block is in use here")
	}
	free.Close()
	for _, addr := range append(free.addresses(), netip.AddrPortFrom(free.host(holderHost), holderPort)) {
		t.Run(addr.String(), func(t *testing.T) {
			ln, err := net.Listen("tcp4", addr.String())
			if err != nil {
				t.Fatal(err)
			}
			b := own()
			if b.take() {
				b.Close()
				t.Error("taken although in use")
			}
			ln.Close()
			if !b.take() {
				t.Fatal("not taken although free again")
			}
			b.Close()
		})
	}
}
