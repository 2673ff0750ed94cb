package top

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	tea "charm.land/bubbletea/v2"

	"github.com/sluicelb/sluice/cmd/internal/admin"
)

// statusOf is a status with four nodes, at a time after the start.
func statusOf(after time.Duration) admin.Status {
	began := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	st := admin.Status{Time: began.Add(after), Started: began, Uptime: after.Seconds(), Host: "lb1", Ready: true}
	st.Config.LastReload.OK = true
	st.Sessions = admin.SessionCounts{Open: 10, Capacity: 1000, Ended: uint64(after / time.Second)}
	p := admin.Pool{Name: "s3"}
	for i := range 4 {
		name := fmt.Sprintf("10.0.0.%d:9000", i+1)
		p.Nodes = append(p.Nodes, admin.Node{
			Pool: "s3", Name: name, Address: name, Weight: 100, Health: "up", Admin: "ready", Available: true, Since: began, Reason: "status 200",
			Sessions: int64(i), Bytes: admin.Bytes{In: uint64(after/time.Second) * uint64(i) << 10},
		})
	}
	st.Pools = []admin.Pool{p, {Name: "console", Nodes: []admin.Node{
		{Pool: "console", Name: "10.0.0.2:9001", Address: "10.0.0.2:9001", Health: "up", Admin: "ready", Available: true, Since: began},
	}}}
	return st
}

// newTestScreen is a screen of a size that has had two statuses.
func newTestScreen(width, height int) *screen {
	s := newScreen(asker{}, time.Second)
	s.Update(tea.WindowSizeMsg{Width: width, Height: height})
	s.Update(statusMsg{status: statusOf(10 * time.Second)})
	s.Update(statusMsg{status: statusOf(12 * time.Second)})
	return s
}

// keys sends keys: single characters, or names in angle brackets.
func (s *screen) keys(keys ...string) (last tea.Cmd) {
	for _, k := range keys {
		m := tea.KeyPressMsg{Text: k, Code: []rune(k)[0]}
		switch k {
		case "enter":
			m = tea.KeyPressMsg{Code: tea.KeyEnter}
		case "esc":
			m = tea.KeyPressMsg{Code: tea.KeyEscape}
		case "tab":
			m = tea.KeyPressMsg{Code: tea.KeyTab}
		case "backspace":
			m = tea.KeyPressMsg{Code: tea.KeyBackspace}
		case "end":
			m = tea.KeyPressMsg{Code: tea.KeyEnd}
		}
		_, last = s.Update(m)
	}
	return last
}

var sgr = regexp.MustCompile("\x1b\\[[0-9;]*m")

// shows is what the screen shows, without styles.
func (s *screen) shows() string { return sgr.ReplaceAllString(s.draw(), "") }

func (s *screen) wants(t *testing.T, texts ...string) {
	t.Helper()
	for _, want := range texts {
		if !strings.Contains(s.shows(), want) {
			t.Errorf("the screen does not show %q:\n%s", want, s.shows())
		}
	}
}

func (s *screen) wantsNot(t *testing.T, text string) {
	t.Helper()
	if strings.Contains(s.shows(), text) {
		t.Errorf("the screen shows %q:\n%s", text, s.shows())
	}
}

// under is the text of the row with the cursor: the last line that is reversed from its beginning.
func (s *screen) under() string {
	drawn := s.draw()
	row, _, _ := strings.Cut(drawn[strings.LastIndex(drawn, "\n\x1b[7m")+1:], "\n")
	return sgr.ReplaceAllString(row, "")
}

// TestSizes draws every page and question in every size: as many lines as the terminal has, none wider.
func TestSizes(t *testing.T) {
	for _, open := range [][]string{{}, {"2"}, {"3"}, {"?"}, {"d"}, {"m"}, {"/", "x"}} {
		for width := 1; width <= 220; width += 3 {
			for _, height := range []int{1, 2, 3, 5, 8, 19, 20, 24, 50} {
				s := newTestScreen(width, height)
				s.keys(open...)
				s.Update(eventMsg{Kind: "health", New: "down", Pool: "s3", Node: "10.0.0.1:9000", Reason: strings.Repeat("why ", 80)})
				lines := strings.Split(s.shows(), "\n")
				if len(lines) > height {
					t.Fatalf("%q at %dx%d: %d lines", open, width, height, len(lines))
				}
				for _, l := range lines {
					if n := utf8.RuneCountInString(l); n > width {
						t.Fatalf("%q at %dx%d: %d columns: %q", open, width, height, n, l)
					}
				}
			}
		}
	}
}

func TestNodesPage(t *testing.T) {
	s := newTestScreen(80, 24)
	s.wants(t, "sluice on lb1, up 12s, ready", "10 sessions (room for 1,000)  new 1.0/s", "10.0.0.4:9000", "3.0 KiB/s", "d drain")
	if got := s.under(); !strings.Contains(got, "10.0.0.1:9000") {
		t.Errorf("the cursor is on %q, want the first node", got)
	}

	s.keys("j", "j")
	s.keys("o", "o") // by sessions: it is the second now
	if got := s.under(); !strings.Contains(got, "10.0.0.3:9000") {
		t.Errorf("the cursor is on %q, want the node it was on", got)
	}
	s.wants(t, "by sessions")

	down := statusOf(14 * time.Second)
	down.Pools[0].Nodes[2].Health, down.Pools[0].Nodes[2].Available, down.Pools[0].Nodes[2].Reason = "down", false, "connect: connection refused"
	s.Update(statusMsg{status: down})
	s.wants(t, "DOWN", "s3 10.0.0.3:9000: DOWN for 14s, connect: connection refused")

	s.keys("/", "d", "o", "w", "n", "x", "backspace", "enter")
	s.wants(t, `with "down"`, "10.0.0.3:9000")
	s.wantsNot(t, "10.0.0.4:9000")
	s.keys("esc")
	s.wants(t, "10.0.0.4:9000")
	s.keys("/", "z", "z", "enter")
	s.wants(t, "nothing has that in it")
	if s.keys("d"); s.asked != nil {
		t.Error("there is no node, and a question about one")
	}
}

func TestLost(t *testing.T) {
	s := newTestScreen(80, 24)
	_, cmd := s.Update(statusMsg{err: errors.New("admin 127.0.0.1:9990: connection refused\x1b[2J")})
	s.wants(t, "CONNECTION LOST since ", "10.0.0.1:9000")
	s.wantsNot(t, "\x1b[2J")
	if cmd == nil {
		t.Error("nothing is tried again")
	}
	if s.keys("d"); s.asked != nil {
		t.Error("something can be done without a connection")
	}
	again := statusOf(time.Second)
	again.Started = again.Started.Add(time.Hour)
	again.Time = again.Started.Add(time.Second)
	s.Update(statusMsg{status: again})
	s.wantsNot(t, "CONNECTION LOST")
	s.wants(t, "new -", "in -") // another process: nothing is known of its rates
}

// TestExtraStatus: what is asked for beside the clock does not make the clock run faster, and answers that were
// overtaken are dropped.
func TestExtraStatus(t *testing.T) {
	s := newTestScreen(80, 24)
	if _, cmd := s.Update(statusMsg{status: statusOf(15 * time.Second), extra: true}); cmd != nil {
		t.Error("an extra status makes another one follow")
	}
	s.wants(t, "up 15s", "new 1.0/s")
	if _, cmd := s.Update(statusMsg{status: statusOf(14 * time.Second)}); cmd == nil {
		t.Error("no status follows")
	}
	s.wants(t, "up 15s", "new 1.0/s")
	jump := statusOf(15*time.Second + time.Millisecond)
	jump.Sessions.Ended += 1000
	s.Update(statusMsg{status: jump, extra: true})
	s.wants(t, "new 1.0/s")
	if _, cmd := s.Update(doneMsg{text: "done"}); cmd == nil {
		t.Error("after an act nobody asks what is new")
	}
}

func TestEvents(t *testing.T) {
	s := newTestScreen(80, 24)
	for i := range maxEvents + 10 {
		s.Update(eventMsg{ID: uint64(i + 1), Kind: "health", Old: "up", New: "down", Pool: "s3", Node: fmt.Sprintf("n%d", i), Reason: "a\x1b]0;b"})
	}
	if len(s.events) != maxEvents {
		t.Errorf("%d events are kept, want %d", len(s.events), maxEvents)
	}
	s.wants(t, fmt.Sprintf(`s3 n%d is DOWN (a\x1b]0;b)`, maxEvents+9))
	s.keys("3", "end")
	s.wants(t, "s3 n10 is DOWN")
	s.keys("/", "n", "1", "2", "3", "enter")
	s.wants(t, "s3 n123 is DOWN")
	s.wantsNot(t, "s3 n124 ")
}

func TestSessionsPage(t *testing.T) {
	s := newTestScreen(120, 24)
	if cmd := s.keys("2"); cmd == nil {
		t.Error("nobody asks for the sessions")
	}
	list := admin.Sessions{Total: 2000, Matched: 2000}
	for i := range maxSessions {
		list.Sessions = append(list.Sessions, admin.Session{ID: uint64(i + 1), Client: "192.0.2.1:1", Node: "10.0.0.1:9000", Pool: "s3", Phase: "relay", ServerName: "a\tb\x1b[31m"})
	}
	s.Update(sessionsMsg{query: s.query().Encode(), list: list})
	s.wants(t, "2,000 of 2,000, oldest first, rows 1-", `a\tb\x1b[31m`)
	s.keys("end")
	s.wants(t, "session 300: ")
	s.keys("x")
	s.wants(t, "Kill session 300?", "Both sides see a reset")
	if cmd := s.keys("y"); cmd == nil || s.asked != nil {
		t.Error("y does nothing, or the question stays")
	}
	s.Update(doneMsg{text: "session 300 ended"})
	s.wants(t, "session 300 ended")

	s.keys("1", "enter")
	if q := s.query(); q.Get("node") != "10.0.0.1:9000" || q.Get("pool") != "s3" {
		t.Errorf("Enter on a node asks for %v", q)
	}
	s.Update(sessionsMsg{query: "something=else", list: admin.Sessions{Total: 77}})
	s.wantsNot(t, "of 77") // the answer to a question of before
}

func TestDrainQuestion(t *testing.T) {
	id := nodeID{"s3", "10.0.0.2:9000"}
	for _, tt := range []struct {
		name    string
		answer  outlookMsg
		refused bool
		wants   []string
	}{
		{"safe", outlookMsg{node: id, outlook: admin.DrainOutlook{Others: 3, Sessions: 5, Answer: &admin.Answer{Safe: true, Status: 200, Text: "the cluster keeps write quorum without it"}}},
			false, []string{"Safe: the cluster keeps write quorum without it.", "3 other available nodes", "Its 5 sessions go on", "[x] in pool console too", "y drain"}},
		{"refused", outlookMsg{node: id, outlook: admin.DrainOutlook{Others: 1, Answer: &admin.Answer{Status: 412}, Refusal: &admin.Error{Error: "without it the cluster loses write quorum", Hint: "bring them back; force"}}},
			true, []string{"Not safe: without it the cluster loses write quorum.", "What helps: bring them back.", "F drain all the same"}},
		{"not MinIO", outlookMsg{node: id, outlook: admin.DrainOutlook{}}, false, []string{"nobody was asked", "No other node of the pool is available", "y drain"}},
		{"no answer", outlookMsg{node: id, err: errors.New("not in time")}, true, []string{"It cannot be said what this would mean: not in time"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newTestScreen(80, 24)
			s.keys("j")
			if cmd := s.keys("d"); cmd == nil {
				t.Fatal("the cluster is not asked")
			}
			s.wants(t, "Drain 10.0.0.2:9000 of pool s3?", "Asking the node whether its cluster can do without it")
			if s.keys("y", "F"); s.asked == nil {
				t.Fatal("it is drained before the cluster has answered")
			}
			s.Update(outlookMsg{node: nodeID{"s3", "another"}, outlook: tt.answer.outlook})
			s.wants(t, "Asking the node")
			s.Update(tt.answer)
			s.wants(t, tt.wants...)
			if cmd := s.keys("y"); (cmd == nil) != tt.refused {
				t.Errorf("y does something: %v, want %v", cmd != nil, !tt.refused)
			}
			if tt.refused {
				if cmd := s.keys("F"); cmd == nil || s.asked != nil {
					t.Error("F does nothing")
				}
			}
		})
	}
}

func TestAlso(t *testing.T) {
	st := statusOf(time.Second)
	q, _ := drainQuestion(asker{}, &st, &st.Pools[0].Nodes[1])
	if got := fmt.Sprint(q.nodes()); got != "[s3 10.0.0.2:9000 console 10.0.0.2:9001]" {
		t.Errorf("a drain means %s", got)
	}
	q.key("a")
	if got := fmt.Sprint(q.nodes()); got != "[s3 10.0.0.2:9000]" {
		t.Errorf("without the others a drain means %s", got)
	}
	q, _ = drainQuestion(asker{}, &st, &st.Pools[0].Nodes[0])
	if got := fmt.Sprint(q.nodes()); got != "[s3 10.0.0.1:9000]" {
		t.Errorf("the drain of a machine without a Console means %s", got)
	}
}

func TestQuit(t *testing.T) {
	s := newTestScreen(80, 24)
	s.keys("d", "q")
	if s.asked != nil {
		t.Error("q leaves the question open")
	}
	if cmd := s.keys("q"); cmd == nil {
		t.Error("q does not leave")
	} else if _, quit := cmd().(tea.QuitMsg); !quit {
		t.Error("q does something else than leave")
	}
}
