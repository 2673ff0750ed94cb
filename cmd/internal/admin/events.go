package admin

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/sluicelb/sluice/pool"
)

// maxEvents is how many events are remembered.
const maxEvents = 1024

// Events remembers the latest transitions and shows them to whoever follows. Publishing never waits: a
// follower that is slow finds out that it has missed some.
//
// It is safe for concurrent use. Make one with [NewEvents].
type Events struct {
	mu     sync.Mutex // guards the fields below
	ring   []Event    // the latest, the oldest at next once it is full
	next   int
	lastID uint64
	more   chan struct{} // closed at the next event, and replaced
}

// NewEvents returns an empty memory. Its ids begin where the clock is, so that those of an earlier process
// are not taken for its own.
func NewEvents() *Events {
	return &Events{lastID: uint64(time.Now().UnixMilli()) * 1000, more: make(chan struct{})}
}

// Publish adds an event, and gives it its id and, if it has none, its time.
func (e *Events) Publish(ev Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.lastID++
	ev.ID = e.lastID
	if ev.Time.IsZero() {
		ev.Time = time.Now()
	}
	if len(e.ring) < maxEvents {
		e.ring = append(e.ring, ev)
	} else {
		e.ring[e.next] = ev
		e.next = (e.next + 1) % maxEvents
	}
	close(e.more)
	e.more = make(chan struct{})
}

// PublishPool adds a transition of a node.
func (e *Events) PublishPool(ev pool.Event) {
	e.Publish(Event{
		Time: ev.Time, Kind: string(ev.Kind), Pool: ev.Pool, Node: ev.Name, Old: ev.Old, New: ev.New, Reason: ev.Reason,
	})
}

// After returns the remembered events with ids above id, oldest first, and whether some between are
// forgotten. More is closed when there are more.
func (e *Events) After(id uint64) (events []Event, lost bool, more <-chan struct{}) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if id > e.lastID {
		id = 0 // of a process whose clock was ahead
	}
	for i := range e.ring {
		if ev := &e.ring[(e.next+i)%len(e.ring)]; ev.ID > id {
			events = append(events, *ev)
		}
	}
	lost = len(events) > 0 && id > 0 && events[0].ID > id+1
	return events, lost, e.more
}

const (
	heartbeat  = 15 * time.Second // a comment on a silent stream, so that both ends notice a dead one
	streamWait = 10 * time.Second // for a follower to take what it is sent
)

// streamEvents follows the events: what is remembered since the id that the client saw last (the header
// Last-Event-ID, or last_event_id for those who cannot set it), then what comes. See the HTML standard,
// section 9.2, for the format.
func (s *Server) streamEvents(w http.ResponseWriter, r *http.Request) {
	var last uint64
	for _, text := range []string{r.URL.Query().Get("last_event_id"), r.Header.Get("Last-Event-ID")} {
		if text == "" {
			continue
		}
		var err error
		if last, err = strconv.ParseUint(text, 10, 64); err != nil {
			fail(w, http.StatusBadRequest, Error{Error: fmt.Sprintf("last event id %.50q is no number", text)})
			return
		}
	}
	if s.streams.Add(1) > maxStreams {
		s.streams.Add(-1)
		fail(w, http.StatusServiceUnavailable, Error{Error: fmt.Sprintf("there are %d streams of events already", maxStreams)})
		return
	}
	defer s.streams.Add(-1)
	over := s.current.Load().over
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)

	out := &stream{w: w, control: http.NewResponseController(w)}
	if !out.send("retry: 2000\n\n") {
		return
	}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		events, lost, more := s.proc.Events.After(last)
		if len(events) > 0 {
			if lost && !out.event(Event{ID: events[0].ID - 1, Time: events[0].Time, Kind: KindLost}) {
				return
			}
			for _, ev := range events {
				if !out.event(ev) {
					return
				}
				last = ev.ID
			}
			continue
		}
		select {
		case <-more:
		case <-beat.C:
			if !out.send(":\n\n") {
				return
			}
		case <-r.Context().Done():
			return
		case <-over:
			return
		}
	}
}

// A stream writes to one follower.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

func (st *stream) event(ev Event) bool {
	data, err := json.Marshal(ev)
	return err == nil && st.send(fmt.Sprintf("id: %d\nevent: %s\ndata: %s\n\n", ev.ID, ev.Kind, data))
}

// send writes and flushes; false if the follower is gone, or takes nothing.
func (st *stream) send(text string) bool {
	st.control.SetWriteDeadline(time.Now().Add(streamWait))
	if _, err := st.w.Write([]byte(text)); err != nil {
		return false
	}
	return st.control.Flush() == nil
}
