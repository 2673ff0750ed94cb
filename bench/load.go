//go:build linux

package main

import (
	"bufio"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// loadSpec is what a load is started with. Which fields count depends on Kind.
type loadSpec struct {
	Kind string `json:"kind"` // see runLoad

	Net   byte `json:"net"`   // the load talks to 127.0.Net.1 to 127.0.Net.Hosts in turn,
	Hosts int  `json:"hosts"` // so that ephemeral ports suffice for any number of sessions
	Port  int  `json:"port"`

	Rate  float64 `json:"rate"`  // units a second, at random times (Poisson); 0: closed loop, the next when one is done
	Conns int     `json:"conns"` // closed loop: units under way at once; else kept connections
	Warm  int     `json:"warm"`  // units before those that count
	Count int     `json:"count"` // units that count
	Seed  uint64  `json:"seed"`  // of the random times: the same for every peer of a round

	Request   int    `json:"request"`  // bytes
	Response  int    `json:"response"` // bytes
	NodeFirst bool   `json:"node_first"`
	Hello     string `json:"hello"` // server name of the ClientHello that opens a session; "" for none

	Up    bool   `json:"up"`
	Bytes uint64 `json:"bytes"` // of each bulk stream
	KiBps int    `json:"kibps"` // rate of each bulk stream; 0 for no limit

	TLS    bool `json:"tls"`
	Resume bool `json:"resume"` // come back with a ticket
	Slow   bool `json:"slow"`   // streams are read a little now and then
}

// loadResult is what a load has done. A load in which any session failed has no result but an error.
type loadResult struct {
	Done    int           `json:"done"`
	Bytes   uint64        `json:"bytes"`
	Elapsed time.Duration `json:"elapsed"`
	Latency *hist         `json:"latency,omitempty"` // from the time a unit was due, not from when it could be begun
	Late    *hist         `json:"late,omitempty"`    // by how much the load itself was behind its schedule
	Behind  time.Duration `json:"behind,omitempty"`  // the rate was not kept
	Resumed int           `json:"resumed,omitempty"` // TLS sessions that did
	Client  time.Duration `json:"client,omitempty"`  // processor time of the load itself, where that is to be taken off
}

// load is the state that all kinds share: one thread, one epoll set, one buffer.
type load struct {
	loadSpec
	poll    *poller
	to      []unix.RawSockaddrInet4
	request []byte // template of the first request of a connection
	in      []byte
	ids     uint64
	done    int
	planned time.Duration // when the last unit was due
	latency hist
	late    hist
}

const (
	stall = 20 * time.Second // a load to which nothing happens for so long has failed
	slack = 1.05             // a rate is kept when its units end within so much of the time planned
)

var errStalled = errors.New("no progress")

// runLoad does what spec says: warms up, says ready, waits for its order, works and returns the result.
func runLoad(spec loadSpec, orders *bufio.Reader, ready func()) (loadResult, error) {
	raiseFiles()
	l := &load{loadSpec: spec, in: make([]byte, maxMessage)}
	var err error
	if l.poll, err = newPoller(); err != nil {
		return loadResult{}, err
	}
	for i := range spec.Hosts {
		l.to = append(l.to, sockaddr([4]byte{127, 0, spec.Net, byte(i + 1)}, spec.Port))
	}
	if l.request, err = firstRequest(spec); err != nil {
		return loadResult{}, err
	}
	switch spec.Kind {
	case "session":
		return l.sessions(orders, ready)
	case "exchange":
		return l.exchange(orders, ready)
	case "hold":
		return l.hold(ready)
	case "bulk":
		return l.bulk(orders, ready)
	case "tls-session":
		return l.tlsSessions(orders, ready)
	case "tls-bulk":
		return l.tlsBulk(orders, ready)
	case "tls-upload":
		return l.tlsUpload(orders, ready)
	case "tls-hold":
		return l.tlsHold(orders, ready)
	case "stream":
		return l.stream(ready)
	}
	return loadResult{}, fmt.Errorf("no kind of load %q", spec.Kind)
}

// firstRequest builds what opens a session: a ClientHello, or a plain request.
func firstRequest(spec loadSpec) ([]byte, error) {
	if spec.Hello != "" {
		return clientHello(spec.Hello)
	}
	return make([]byte, max(spec.Request, minRequest)), nil
}

// stamp writes h into a request, where its kind has it, with a fresh id that it returns.
func (l *load) stamp(request []byte, h header) uint64 {
	l.ids++
	h.id, h.request = l.ids, uint32(len(request))
	if request[0] == recordTLS {
		h.put(request[helloAt:])
	} else {
		h.put(request)
	}
	return l.ids
}

// dial opens a connection to the next address.
func (l *load) dial() (int, error) {
	to := &l.to[l.ids%uint64(len(l.to))]
	fd, e := rawConnect(to)
	if e != noError {
		return -1, fmt.Errorf("connect to %v: %w", to.Addr, e)
	}
	return fd, nil
}

// awaitGo tells the parent that all is warm, waits for the word, and forgets what warming up has counted.
func (l *load) awaitGo(orders *bufio.Reader, ready func()) error {
	ready()
	if _, err := orders.ReadString('\n'); err != nil {
		return fmt.Errorf("wait for the word to go: %w", err)
	}
	l.latency, l.late = hist{}, hist{}
	return nil
}

type (
	beginFunc func(at time.Duration) error
	eventFunc func(fd int, events uint32, now func() time.Duration) error
)

// drive begins count units, by the clock if there is a rate, else so that conns are under way, and handles events until
// all are done. A unit is done when its handler has counted it in l.done. now is the time since the start; at is when a unit was
// due, from which its latency counts: a balancer that holds up the load does not make its own figures better.
func (l *load) drive(count int, rate float64, conns int, begin beginFunc, event eventFunc) (time.Duration, error) {
	start := time.Now()
	now := func() time.Duration { return time.Since(start) }
	random := rand.New(rand.NewPCG(l.Seed, 1))
	gap := func() time.Duration {
		return time.Duration(-math.Log(1-random.Float64()) / rate * float64(time.Second))
	}
	begun, next, movedAt := 0, time.Duration(0), time.Duration(0)
	l.done = 0
	for l.done < count {
		timeout, t := stall, now()
		if rate > 0 {
			for begun < count && next <= t {
				if err := begin(next); err != nil {
					return 0, err
				}
				l.late.record(t - next)
				begun++
				next += gap()
			}
			if begun < count {
				timeout = next - t
			}
		} else {
			for begun < count && begun-l.done < conns {
				if err := begin(t); err != nil {
					return 0, err
				}
				begun++
			}
		}
		events := l.poll.wait(timeout)
		for _, ev := range events {
			if err := event(int(ev.Fd), ev.Events, now); err != nil {
				return 0, err
			}
		}
		if len(events) > 0 {
			movedAt = t
		} else if begun > l.done && t-movedAt > stall {
			return 0, fmt.Errorf("%w for %v: %d of %d done, %d under way", errStalled, stall, l.done, count, begun-l.done)
		}
	}
	l.planned = next
	return now(), nil
}

// behind is by how much the units that drive has just done took longer than their rate allows.
func (l *load) behind(elapsed time.Duration) time.Duration {
	if l.Rate == 0 {
		return 0
	}
	return max(0, elapsed-time.Duration(float64(l.planned)*slack)-200*time.Millisecond)
}

// checkResponse verifies the beginning of a response.
func checkResponse(b []byte, id uint64) error {
	if len(b) < headerSize {
		return fmt.Errorf("the response begins with %d bytes, its header has %d", len(b), headerSize)
	}
	h, err := parseHeader(b)
	if err != nil {
		return err
	}
	if h.id != id {
		return fmt.Errorf("the response is for request %d, not %d", h.id, id)
	}
	return nil
}

// send writes b, which on a fresh or idle connection always fits. It reports false when the connection is not there yet.
func send(fd int, b []byte) (bool, error) {
	n, e := rawWrite(fd, b)
	switch {
	case e == unix.EAGAIN:
		return false, nil
	case e != noError:
		return false, fmt.Errorf("send a request: %w", e)
	case n < len(b):
		return false, fmt.Errorf("send a request: the socket took %d of %d bytes", n, len(b))
	}
	return true, nil
}

// retry reports whether a call only has to be made again later.
func retry(e syscall.Errno) bool { return e == unix.EAGAIN || e == unix.EINTR }
