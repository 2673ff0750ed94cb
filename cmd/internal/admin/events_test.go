package admin

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

func (f *fixture) client() *Client {
	f.t.Helper()
	c, err := NewClient(strings.TrimPrefix(f.base, "http://"), "")
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(c.Close)
	return c
}

var errEnough = errors.New("enough")

// TestEventsUnderLoad has ten followers read while events are published as fast as it goes: each gets every
// event, in order, or is told that some are missing.
func TestEventsUnderLoad(t *testing.T) {
	const many = 20_000
	f := newFixture(t, []string{"127.0.0.1:1"}, nil)
	client := f.client()
	var followers sync.WaitGroup
	for range 10 {
		followers.Go(func() {
			var last uint64
			ctx, stop := timeout(t, time.Minute)
			defer stop()
			err := client.Follow(ctx, 0, func(ev Event) error {
				if ev.Kind == KindLost {
					last = ev.ID
					return nil
				}
				if last != 0 && ev.ID != last+1 {
					return fmt.Errorf("event %d follows %d", ev.ID, last)
				}
				last = ev.ID
				if ev.New == "last" {
					return errEnough
				}
				return nil
			})
			if !errors.Is(err, errEnough) {
				t.Errorf("a follower ended with %v", err)
			}
		})
	}
	until(t, "all follow", func() bool { return f.streams.Load() == 10 })
	began := time.Now()
	for i := range many {
		f.proc.Events.Publish(Event{Kind: KindReload, New: "in effect", Reason: fmt.Sprint(i)})
	}
	took := time.Since(began)
	f.proc.Events.Publish(Event{Kind: KindReload, New: "last"})
	followers.Wait()
	t.Logf("publishing one took %v", took/many)
	if took > 20*time.Second {
		t.Errorf("publishing %d events took %v: a follower held it up", many, took)
	}
}

func TestLastEventID(t *testing.T) {
	f := newFixture(t, []string{"127.0.0.1:1"}, nil)
	e := f.proc.Events
	first := func(header string) Event {
		t.Helper()
		var got Event
		ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
		defer stop()
		req, _ := http.NewRequestWithContext(ctx, "GET", f.base+"/api/v1/events", nil)
		if header != "" {
			req.Header.Set("Last-Event-ID", header)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer http.DefaultClient.CloseIdleConnections()
		defer resp.Body.Close()
		buf := make([]byte, 64<<10)
		text := ""
		for !strings.Contains(text, "data: ") || !strings.HasSuffix(text, "\n\n") {
			n, err := resp.Body.Read(buf)
			if err != nil {
				t.Fatal(err)
			}
			text += string(buf[:n])
		}
		_, text, _ = strings.Cut(text, "data: ")
		text, _, _ = strings.Cut(text, "\n")
		got = decoded[Event](t, text)
		return got
	}
	var ids []uint64
	e.Publish(Event{Kind: KindReload, Reason: "a"})
	e.Publish(Event{Kind: KindReload, Reason: "b"})
	events, _, _ := e.After(0)
	for _, ev := range events {
		ids = append(ids, ev.ID)
	}
	a := ids[len(ids)-2]
	if got := first(fmt.Sprint(a)); got.Reason != "b" {
		t.Errorf("behind a: got %+v, want b", got)
	}
	if got := first(""); got.ID != ids[0] {
		t.Errorf("without an id: got %d, want the first, %d", got.ID, ids[0])
	}
	if got := first(fmt.Sprint(a + 1<<40)); got.ID != ids[0] {
		t.Errorf("with an id of the future: got %d, want the first, %d", got.ID, ids[0])
	}
	for i := range maxEvents {
		e.Publish(Event{Kind: KindReload, Reason: fmt.Sprint(i)})
	}
	if got := first(fmt.Sprint(a)); got.Kind != KindLost {
		t.Errorf("behind what is forgotten: got %+v, want that some are lost", got)
	}
	if events, _, _ := e.After(0); len(events) != maxEvents {
		t.Errorf("got %d events, want %d remembered", len(events), maxEvents)
	}
}

// TestStreamsEnd: with the client, with the server, and with the settings they began under; and there are
// never too many.
func TestStreamsEnd(t *testing.T) {
	f := newFixture(t, []string{"127.0.0.1:1"}, nil)
	client := f.client()
	follow := func(ctx context.Context) chan error {
		ended := make(chan error, 1)
		before := f.streams.Load()
		go func() { ended <- client.Follow(ctx, 0, func(Event) error { return nil }) }()
		until(t, "it follows", func() bool { return f.streams.Load() == before+1 })
		return ended
	}
	ctx, cancel := context.WithCancel(t.Context())
	gone := follow(ctx)
	cancel()
	<-gone
	until(t, "the stream of a client that left ends", func() bool { return f.streams.Load() == 0 })

	resettled := follow(t.Context())
	cfg := f.cfg.Admin
	cfg.Token = "0123456789abcdef"
	f.commit(cfg)
	<-resettled
	cfg.Token = ""
	f.commit(cfg)

	for range maxStreams {
		follow(t.Context())
	}
	if status, _ := f.do("GET", "/api/v1/events"); status != http.StatusServiceUnavailable {
		t.Errorf("one more stream: got %d, want 503", status)
	}
	began := time.Now()
	f.Close()
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("closing took %v beside %d streams", took, maxStreams)
	}
	until(t, "the streams of a closed server end", func() bool { return f.streams.Load() == 0 })
}

// TestStuckFollower: a client that does not read costs nobody anything.
func TestStuckFollower(t *testing.T) {
	f := newFixture(t, []string{"127.0.0.1:1"}, nil)
	c, err := net.Dial("tcp", strings.TrimPrefix(f.base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.(*net.TCPConn).SetReadBuffer(4 << 10)
	fmt.Fprintf(c, "GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
	until(t, "it follows", func() bool { return f.streams.Load() == 1 })
	text := strings.Repeat("x", 1000)
	began := time.Now()
	for range 50_000 {
		f.proc.Events.Publish(Event{Kind: KindReload, Reason: text})
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("publishing took %v", took)
	}
	if status, _ := f.do("GET", "/healthz"); status != 200 {
		t.Errorf("got %d, want 200", status)
	}
}
