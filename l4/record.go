package l4

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// A Record is what is left of a session: one line in the log.
type Record struct {
	ID         uint64
	Accepted   time.Time
	Listener   string
	Route      string // the label of the route, "" if none was found
	Pool       string
	Node       string
	Client     netip.AddrPort
	ServerName string // as the client sent it: any byte may be in it
	ALPN       []string
	Cause      Cause
	Phase      Phase
	BytesIn    uint64 // client to node
	BytesOut   uint64 // node to client

	// How long each phase took; zero if it was not needed or not reached.
	Header    time.Duration // the PROXY header
	Hello     time.Duration // the ClientHello, or the handshake
	Dial      time.Duration // until a node took the session, all attempts
	FirstByte time.Duration // from then until the node's first byte
	Duration  time.Duration // all of it

	Retries int    // attempts in vain
	Path    string // how most bytes were moved: splice, copy or tls; "" if none were

	Subject string // of the client's certificate, where TLS ends here: any byte may be in it
	Detail  string // of the cause, where there is one: why a handshake failed
}

// record makes the record of a session as it is now.
func (s *Server) record(ss *session, now int64) Record {
	r := Record{
		ID:       ss.id,
		Accepted: s.wall(ss.accepted),
		Listener: ss.rules.Name,
		Client:   ss.client,
		Cause:    ss.cause,
		Phase:    ss.phase,
		BytesIn:  ss.in,
		BytesOut: ss.out,
		Duration: time.Duration(now - ss.accepted),
		Retries:  int(ss.retries),
		Path:     ss.path(),
	}
	if ss.route != nil {
		r.Route, r.Pool = ss.route.Label, ss.route.Pool
	}
	if ss.node != nil {
		r.Node = ss.node.Name()
	}
	r.Detail = ss.detail
	if ss.tls != nil {
		r.Subject = ss.tls.subject
	}
	if ss.hello != nil {
		r.ServerName, r.ALPN = ss.hello.serverName, ss.hello.alpn
	}
	began := ss.accepted
	began, r.Header = lap(began, ss.headed)
	began, r.Hello = lap(began, ss.greeted)
	began, r.Dial = lap(began, ss.connected)
	_, r.FirstByte = lap(began, ss.answered)
	return r
}

// lap is the time from began to at, and where the next lap begins. A phase that was not reached took none.
func lap(began, at int64) (int64, time.Duration) {
	if at == 0 {
		return began, 0
	}
	return at, time.Duration(at - began)
}

// A recorder hands records to whoever writes them, so that no session waits for a slow disk.
//
// It is safe for concurrent use.
type recorder struct {
	wake    chan struct{} // capacity 1: there are records, or the end
	done    sync.WaitGroup
	dropped atomic.Uint64

	mu      sync.Mutex // guards the fields below
	waiting []Record
	closed  bool
}

// maxWaiting bounds the records that wait for their writer: some megabytes.
const maxWaiting = 16 << 10

func newRecorder(write func([]Record)) *recorder {
	r := &recorder{wake: make(chan struct{}, 1)}
	r.done.Go(func() { r.run(write) })
	return r
}

func (r *recorder) run(write func([]Record)) {
	var batch []Record
	for range r.wake {
		r.mu.Lock()
		batch, r.waiting = r.waiting, batch[:0]
		closed := r.closed
		r.mu.Unlock()
		if len(batch) > 0 {
			write(batch)
			clear(batch)
		}
		if closed {
			return
		}
	}
}

// add copies records into the queue, or drops what does not fit if the writer is too far behind.
func (r *recorder) add(records ...Record) {
	r.mu.Lock()
	room := min(len(records), maxWaiting-len(r.waiting))
	r.waiting = append(r.waiting, records[:room]...)
	r.mu.Unlock()
	r.dropped.Add(uint64(len(records) - room))
	r.signal()
}

func (r *recorder) signal() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// close waits until all records are written. No add may follow.
func (r *recorder) close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.signal()
	r.done.Wait()
}
