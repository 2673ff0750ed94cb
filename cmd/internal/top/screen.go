package top

import (
	"slices"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/sluicelb/sluice/cmd/internal/admin"
)

// A page is what the middle of the screen shows.
type page int

const (
	nodesPage page = iota
	sessionsPage
	eventsPage
	pages // how many there are
)

// maxEvents is how many events are kept.
const maxEvents = 500

// A screen is all that there is to show, and where the person is. It is one goroutine's: that of the library,
// which calls Update and View.
type screen struct {
	ask      asker
	interval time.Duration

	width, height int

	status *admin.Status // nil: none yet
	base   *admin.Status // the last that came by the clock
	rates  rates         // that it ended with
	list   admin.Sessions
	events []admin.Event // the newest first
	lost   time.Time     // since when there is no answer; zero: there is one
	why    error         // that there is none
	tries  int           // since then

	page   page
	places [pages]place
	typing bool // the filter
	help   bool
	of     *nodeID // whose sessions are shown; nil: all
	asked  *question
	said   doneMsg // what the last act came to
}

// A place is where the person is on a page.
type place struct {
	filter string
	order  int
	at     int // the row under the cursor
	node   nodeID
	id     uint64 // of a session
}

func newScreen(a asker, interval time.Duration) *screen {
	return &screen{ask: a, interval: interval, rates: rates{total: unknownRate}}
}

// Init asks for the first status.
func (s *screen) Init() tea.Cmd { return s.ask.status(false) }

// Update takes a message.
func (s *screen) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch m := msg.(type) {
	case tea.WindowSizeMsg:
		s.width, s.height = m.Width, m.Height
	case tea.KeyPressMsg:
		return s, s.key(m)
	case tickMsg:
		return s, tea.Batch(s.ask.status(false), s.askSessions())
	case statusMsg:
		return s, s.learn(m)
	case sessionsMsg:
		if m.err == nil && m.query == s.query().Encode() {
			s.list = m.list
			s.follow()
		}
	case eventMsg:
		s.events = append([]admin.Event{admin.Event(m)}, s.events[:min(len(s.events), maxEvents-1)]...)
		return s, nil
	case outlookMsg:
		if s.asked != nil {
			s.asked.answer(m)
		}
	case doneMsg:
		s.said = m
		return s, tea.Batch(s.ask.status(true), s.askSessions())
	}
	return s, nil
}

// learn takes a status, or that there is none, and says when to ask again.
func (s *screen) learn(m statusMsg) tea.Cmd {
	wait := s.interval
	switch {
	case m.extra && m.err != nil:
		// Those by the clock say so too.
	case m.err != nil:
		if s.tries++; s.tries == 1 {
			s.lost = time.Now()
		}
		s.why = m.err
		wait = min(slowest, time.Duration(s.tries)*time.Second)
	case s.status == nil || !m.status.Started.Equal(s.status.Started) || m.status.Time.After(s.status.Time): // none that was overtaken
		if !m.extra { // two that come in quick succession say little of rates
			s.rates = ratesBetween(s.base, &m.status)
			s.base = &m.status
		}
		s.status = &m.status
		s.lost, s.why, s.tries = time.Time{}, nil, 0
		s.follow()
	}
	if m.extra {
		return nil
	}
	return tea.Tick(wait, func(time.Time) tea.Msg { return tickMsg{} })
}

// askSessions asks for the sessions, where they are shown.
func (s *screen) askSessions() tea.Cmd {
	if s.page != sessionsPage {
		return nil
	}
	return s.ask.sessions(s.query())
}

// here is where the person is.
func (s *screen) here() *place { return &s.places[s.page] }

// nodes are those that the page of nodes shows.
func (s *screen) nodes() []*admin.Node {
	if s.status == nil {
		return nil
	}
	p := &s.places[nodesPage]
	return shownNodes(s.status, &s.rates, p.filter, p.order)
}

// rows is how many there are on the page.
func (s *screen) rows() int {
	switch s.page {
	case nodesPage:
		return len(s.nodes())
	case sessionsPage:
		return len(s.list.Sessions)
	}
	return len(s.shownEvents())
}

// move puts the cursor on a row, or on the nearest that there is.
func (s *screen) move(to int) {
	p := s.here()
	p.at = max(0, min(to, s.rows()-1))
	if n := s.node(); n != nil {
		p.node = idOf(n)
	}
	if one := s.session(); one != nil {
		p.id = one.ID
	}
}

// follow keeps the cursor on what it was on, wherever that is now.
func (s *screen) follow() {
	p := s.here()
	at := -1
	switch s.page {
	case nodesPage:
		at = slices.IndexFunc(s.nodes(), func(n *admin.Node) bool { return idOf(n) == p.node })
	case sessionsPage:
		at = slices.IndexFunc(s.list.Sessions, func(one admin.Session) bool { return one.ID == p.id })
	}
	if at < 0 {
		at = p.at
	}
	s.move(at)
}

// node is the one under the cursor, nil if there is none.
func (s *screen) node() *admin.Node {
	if nodes := s.nodes(); s.page == nodesPage && s.here().at < len(nodes) {
		return nodes[s.here().at]
	}
	return nil
}

// session is the one under the cursor, nil if there is none.
func (s *screen) session() *admin.Session {
	if s.page == sessionsPage && s.here().at < len(s.list.Sessions) {
		return &s.list.Sessions[s.here().at]
	}
	return nil
}
