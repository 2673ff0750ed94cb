package top

import (
	"net/url"
	"unicode/utf8"

	tea "charm.land/bubbletea/v2"

	"github.com/sluicelb/sluice/cmd/internal/admin"
)

// helpText is all there is to know.
var helpText = []string{
	"1 2 3, Tab     nodes, sessions, events",
	"up down k j    move; PgUp PgDn Home End too",
	"/              show only what has a text in it; Esc shows all again",
	"o              another order",
	"Enter          on a node: its sessions",
	"",
	"d              drain a node: no new sessions, those it has go on. It asks the",
	"               cluster first, and then you",
	"m              maint: never a session, and no checks",
	"r              ready: undoes both",
	"x              end a session, or all those of a node",
	"",
	"q              leave",
}

// key takes a key. What it means depends on what is open: a question, the filter, the help, or a page.
func (s *screen) key(m tea.KeyPressMsg) tea.Cmd {
	key := m.String()
	if key == "alt+esc" { // two in a row, of somebody impatient
		key = "esc"
	}
	switch {
	case key == "ctrl+z":
		return tea.Suspend
	case s.asked != nil:
		cmd, over := s.asked.key(key)
		if over {
			s.asked = nil
		}
		return cmd
	case s.typing:
		return s.typeKey(key, m.Text)
	case s.help:
		s.help = false
		return nil
	}
	s.said = doneMsg{}
	return s.pageKey(key)
}

func (s *screen) pageKey(key string) tea.Cmd {
	p := s.here()
	switch key {
	case "q", "ctrl+c":
		return tea.Quit
	case "?", "h", "f1":
		s.help = true
	case "1", "2", "3":
		return s.turn(page(key[0] - '1'))
	case "tab":
		return s.turn((s.page + 1) % pages)
	case "shift+tab":
		return s.turn((s.page + pages - 1) % pages)
	case "up", "k":
		s.move(p.at - 1)
	case "down", "j":
		s.move(p.at + 1)
	case "pgup":
		s.move(p.at - s.room())
	case "pgdown":
		s.move(p.at + s.room())
	case "home", "g":
		s.move(0)
	case "end", "G":
		s.move(s.rows() - 1)
	case "/":
		s.typing = true
	case "esc":
		p.filter = ""
		if s.page == sessionsPage {
			s.of = nil
		}
		return s.again()
	case "o":
		p.order = (p.order + 1) % [pages]int{len(nodeOrders), len(sessionOrders), 1}[s.page]
		return s.again()
	default:
		return s.act(key)
	}
	return nil
}

// act is what can be done to the row under the cursor. Nothing is while there is no connection: what is shown
// may not be so any more.
func (s *screen) act(key string) (cmd tea.Cmd) {
	if s.why != nil {
		return nil
	}
	n, one := s.node(), s.session()
	switch {
	case n != nil && key == "enter":
		s.of = new(idOf(n))
		s.places[sessionsPage] = place{order: s.places[sessionsPage].order}
		return s.turn(sessionsPage)
	case n != nil && !s.retired(n):
		s.asked, cmd = nodeQuestion(s.ask, s.status, n, key)
	case n != nil && key == "x":
		s.asked = endNodeQuestion(s.ask, n)
	case one != nil && key == "x":
		s.asked = endSessionQuestion(s.ask, one)
	}
	return cmd
}

// nodeQuestion is the question before a key does something to a node, nil if it does nothing.
func nodeQuestion(a asker, st *admin.Status, n *admin.Node, key string) (*question, tea.Cmd) {
	switch key {
	case "d":
		return drainQuestion(a, st, n)
	case "m":
		return maintQuestion(a, st, n), nil
	case "r":
		return readyQuestion(a, st, n), nil
	case "x":
		if n.Sessions > 0 {
			return endNodeQuestion(a, n), nil
		}
	}
	return nil, nil
}

// retired tells whether a node is in no pool any more: all there is to do is to end its sessions.
func (s *screen) retired(n *admin.Node) bool {
	for i := range s.status.Retired {
		if &s.status.Retired[i] == n {
			return true
		}
	}
	return false
}

// turn goes to another page.
func (s *screen) turn(to page) tea.Cmd {
	s.page = to
	return s.again()
}

// again asks and shows with another filter, order or page.
func (s *screen) again() tea.Cmd {
	s.follow()
	return s.askSessions()
}

// query is the question for the sessions that are shown.
func (s *screen) query() url.Values {
	p := &s.places[sessionsPage]
	return sessionQuery(p.filter, s.of, p.order)
}

// maxFilter bounds what can be typed.
const maxFilter = 60

// typeKey changes the filter.
func (s *screen) typeKey(key, text string) tea.Cmd {
	p := s.here()
	switch key {
	case "enter", "tab":
		s.typing = false
		return nil
	case "esc", "ctrl+c":
		s.typing, p.filter = false, ""
	case "backspace":
		_, size := utf8.DecodeLastRuneInString(p.filter)
		p.filter = p.filter[:len(p.filter)-size]
	case "ctrl+u":
		p.filter = ""
	default:
		if len(p.filter)+len(text) <= maxFilter {
			p.filter += text
		}
	}
	return s.again()
}
