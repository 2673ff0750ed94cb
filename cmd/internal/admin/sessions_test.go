package admin

import (
	"fmt"
	"io"
	"net"
	"net/url"
	"testing"
	"time"

	"github.com/sluicelb/sluice/configs"
)

func TestSessions(t *testing.T) {
	node := listen(t, echo)
	f := newFixture(t, []string{node}, nil)
	for range 5 {
		f.session("s3")
	}
	slow, err := net.Dial("tcp", f.address("tls")) // says nothing: it stays in its hello
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	until(t, "six sessions", func() bool { return f.proc.L4.Sessions() == 6 })
	list := func(query string) Sessions {
		t.Helper()
		status, body := f.do("GET", "/api/v1/sessions?"+query)
		if status != 200 {
			t.Fatalf("%s: got %d %s", query, status, body)
		}
		return decoded[Sessions](t, body)
	}
	for query, want := range map[string]int{
		"": 6, "listener=s3": 5, "listener=tls": 1, "listener=x": 0, "pool=s3": 5, "node=" + node: 5, "route=default": 5,
		"phase=hello": 1, "phase=relay": 5, "client=127.0.0.1": 6, "client=127.0.0.0/8": 6, "client=10.0.0.0/8": 0,
		"search=127.0.0": 6, "search=" + node: 5, "search=zzz": 0, "min_age=1h": 0, "min_idle=1h": 0, "listener=s3&phase=hello": 0,
		"sort=bytes": 6, "limit=2": 6,
	} {
		got := list(query)
		if got.Matched != want || got.Total != 6 || len(got.Sessions) != min(want, 100) && query != "limit=2" {
			t.Errorf("%q: got %d matched, %d total, %d shown, want %d of 6", query, got.Matched, got.Total, len(got.Sessions), want)
		}
	}
	s := list("listener=s3&limit=1").Sessions[0]
	if s.Pool != "s3" || s.Node != node || s.BytesIn != 5 || s.BytesOut != 5 || s.Phase != "relay" || s.Dur <= 0 || s.Path != "copy" || s.Route != "default" {
		t.Errorf("got %+v", s)
	}
	if got := list("sort=bytes").Sessions[5]; got.Phase != "hello" {
		t.Errorf("by bytes the last is %+v, want the silent one", got)
	}

	// Pages: each session once.
	seen := map[uint64]bool{}
	for after, pages := uint64(0), 0; ; pages++ {
		page := list(fmt.Sprintf("limit=4&after=%d", after))
		for _, s := range page.Sessions {
			if seen[s.ID] || s.ID <= after {
				t.Errorf("session %d again", s.ID)
			}
			seen[s.ID] = true
		}
		if after = page.Next; after == 0 {
			if len(seen) != 6 || pages != 1 {
				t.Errorf("got %d sessions on %d pages, want 6 on 2", len(seen), pages+1)
			}
			break
		}
	}

	for _, query := range []string{"limit=0", "limit=10001", "limit=x", "sort=x", "client=x", "min_age=x", "after=x", "after=1&sort=dur", "bogus=1"} {
		if status, body := f.do("GET", "/api/v1/sessions?"+query); status != 400 {
			t.Errorf("%s: got %d %s, want 400", query, status, body)
		}
	}
}

func TestKill(t *testing.T) {
	for _, relay := range []configs.Relay{configs.RelayAuto, configs.RelayCopy} {
		t.Run(string(relay), func(t *testing.T) {
			node := listen(t, echo)
			f := newFixture(t, []string{node}, func(cfg *configs.Config) { cfg.Listeners[0].Relay = relay })
			a, b, c := f.session("s3"), f.session("s3"), f.session("s3")
			first := decoded[Sessions](t, second(f.do("GET", "/api/v1/sessions?limit=1"))).Sessions[0]
			if first.Client != a.LocalAddr().String() {
				t.Fatalf("the first session is %+v, want that of %v", first, a.LocalAddr())
			}
			if k, err := f.client().Kill(t.Context(), first.ID); err != nil || k.Killed != 1 {
				t.Fatalf("got %+v, %v", k, err)
			}
			if _, err := a.Read(make([]byte, 1)); err == nil || err == io.EOF {
				t.Errorf("the client sees %v, want a reset", err)
			}
			if _, err := f.client().Kill(t.Context(), first.ID); err == nil {
				t.Error("it was killed twice")
			}
			if k, err := f.client().KillNode(t.Context(), "s3", node); err != nil || k.Killed != 2 {
				t.Errorf("got %+v, %v, want 2", k, err)
			}
			for _, conn := range []net.Conn{b, c} {
				if _, err := conn.Read(make([]byte, 1)); err == nil || err == io.EOF {
					t.Errorf("the client sees %v, want a reset", err)
				}
			}
			until(t, "no session", func() bool { return f.proc.L4.Sessions() == 0 })
			events, _, _ := f.proc.Events.After(0)
			kills := 0
			for _, ev := range events {
				if ev.Kind == KindKill {
					kills++
				}
			}
			if kills != 2 {
				t.Errorf("got %d events of kills, want 2", kills)
			}
		})
	}
}

// TestManySessions lists two thousand live sessions, again and again, while they work: soon, and without
// holding them up.
func TestManySessions(t *testing.T) {
	const many = 2000
	for _, relay := range []configs.Relay{configs.RelayAuto, configs.RelayCopy} {
		t.Run(string(relay), func(t *testing.T) {
			node := listen(t, echo)
			f := newFixture(t, []string{node}, func(cfg *configs.Config) { cfg.Listeners[0].Relay = relay })
			if room := f.proc.L4.Capacity(); room < many {
				t.Skipf("this process may have %d sessions only: ulimit -n", room)
			}
			for range many {
				f.session("s3")
			}
			var slowest, all time.Duration
			for range 10 {
				began := time.Now()
				list, err := f.client().Sessions(t.Context(), url.Values{"limit": {"10000"}})
				took := time.Since(began)
				slowest, all = max(slowest, took), all+took
				if err != nil || len(list.Sessions) != many || list.Matched != many {
					t.Fatalf("got %d sessions, error %v, want %d", len(list.Sessions), err, many)
				}
				if list.Sessions[0].ID != 1 || list.Sessions[many-1].ID != many {
					t.Errorf("from %d to %d, want 1 to %d", list.Sessions[0].ID, list.Sessions[many-1].ID, many)
				}
			}
			t.Logf("a list took %v, the slowest %v", all/10, slowest)
			if slowest > 10*time.Second { // a busy machine, the race detector
				t.Errorf("a list took %v", slowest)
			}
		})
	}
}
