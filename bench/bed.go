//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// The addresses of a measurement. It runs in a network namespace of its own if it may, so nothing else has these ports, and
// no socket in TIME_WAIT is left to the next one.
const (
	peerPort  = 7000
	nodePort  = 7001
	nodeNet   = 1 // nodes are 127.0.1.1 and up
	clientNet = 2 // clients dial 127.0.2.1 and up: many addresses, so that ephemeral ports suffice
	clientIPs = 64
	poolSize  = 8
	patience  = 2 * time.Minute
	siteName  = "s3.example.net"
	tlsSuite  = "TLS_AES_128_GCM_SHA256"
	tlsCurve  = "X25519"
)

// bed is one measurement: nodes, a peer before them or none, and the loads a scenario puts on. It is built anew for every
// measurement, so that no peer profits or suffers from what it or another did before.
type bed struct {
	bedSpec
	node  *child
	proc  *process // nil for direct
	loads []*child
	mem   *memGroup // nil unless asked for
}

// bedSpec is what a bed is made from.
type bedSpec struct {
	clock *clock
	peer  peer
	site  site
	count bool    // the peer's memory, in a cgroup of its own
	seed  uint64  // of the loads' random times: the same for all peers of a round
	scale float64 // share of the usual amount of work
}

// inBed runs f on a fresh bed, in a namespace of its own, and takes everything down again.
func inBed(spec bedSpec, f func(b *bed) error) error {
	done := make(chan error)
	go func() {
		// A namespace belongs to a thread: what this goroutine starts inherits it, and the thread ends with the goroutine.
		runtime.LockOSThread()
		done <- func() (err error) {
			ownNetwork()
			dir, err := os.MkdirTemp("", "sluice-bench-")
			if err != nil {
				return err
			}
			defer os.RemoveAll(dir)
			b := &bed{bedSpec: spec}
			b.site.dir, b.site.port, b.site.name = dir, peerPort, siteName
			defer func() { err = errors.Join(err, b.close()) }()
			if err := b.open(); err != nil {
				return err
			}
			return f(b)
		}()
	}()
	return <-done
}

// ownNetwork moves this thread into a new network namespace with a loopback device. Without the right to, it stays where it is.
func ownNetwork() bool {
	if unix.Unshare(unix.CLONE_NEWNET) != nil {
		return false
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	lo, _ := unix.NewIfreq("lo")
	lo.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo) == nil
}

func (b *bed) open() error {
	var err error
	if b.node, err = startChild(cmdNode, "node", nodeSpec{Port: nodePort}, patience); err != nil {
		return err
	}
	if b.peer.command == nil {
		return nil
	}
	if len(b.site.nodes) == 0 {
		for i := range poolSize {
			b.site.nodes = append(b.site.nodes, fmt.Sprintf("127.0.%d.%d:%d", nodeNet, i+1, nodePort))
		}
	}
	if b.site.mode == terminate {
		if err := b.site.makeCert(); err != nil {
			return err
		}
	}
	group := ""
	if b.count {
		if b.mem, err = newMemGroup(); err != nil {
			return err
		}
		group = b.mem.dir
	}
	b.proc, err = startPeer(b.peer, b.site, group)
	return err
}

// close takes the bed down. A node that was spoken to in a way it does not know fails the measurement.
func (b *bed) close() error {
	for _, l := range b.loads {
		l.kill()
	}
	if b.proc != nil {
		b.proc.stop()
	}
	if b.mem != nil {
		b.mem.remove()
	}
	if b.node == nil {
		return nil
	}
	var res nodeResult
	err := b.node.stop(&res, patience)
	b.node.kill()
	if err == nil && res.Bad > 0 {
		err = fmt.Errorf("the node met %d bad messages: %s", res.Bad, res.BadError)
	}
	return err
}

// load starts a load towards the peer, or the nodes themselves, and returns when it is warm.
func (b *bed) load(name string, spec loadSpec) (*child, error) {
	spec.Net, spec.Hosts, spec.Port, spec.Seed = clientNet, clientIPs, peerPort, b.seed
	if b.proc == nil {
		spec.Port = nodePort
	}
	if b.site.mode == passByer {
		spec.Hello = siteName
	}
	spec.TLS = b.site.mode == terminate && b.proc != nil
	l, err := startChild(cmdLoad, name, spec, patience)
	if err == nil {
		b.loads = append(b.loads, l)
	}
	return l, err
}

// measure lets a warm load work, and returns its result and what the machine spent on it.
func (b *bed) measure(l *child) (loadResult, spent, error) {
	var res loadResult
	from, err := b.clock.read()
	if err != nil {
		return res, spent{}, err
	}
	if err := l.run(&res, patience); err != nil {
		return res, spent{}, err
	}
	time.Sleep(settle)
	to, err := b.clock.read()
	used := b.clock.spent(from, to)
	if err == nil && res.Behind > 0 {
		err = notKept{fmt.Errorf("%d units came in %v, %v later than their rate allows", res.Done, res.Elapsed, res.Behind), used}
	}
	return res, used, err
}

// notKept is the error of a load that did not get the rate it asked for: the peer is too slow for it, or others use the machine.
type notKept struct {
	error
	spent spent
}

// settle is time for a balancer to do what a session leaves behind after the client has seen its end.
const settle = 50 * time.Millisecond

// n scales an amount of work, for quick runs.
func (b *bed) n(amount int) int { return max(int(float64(amount)*b.scale), 1) }
