package top

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	tea "charm.land/bubbletea/v2"

	"github.com/sluicelb/sluice/cmd/internal/admin"
	"github.com/sluicelb/sluice/cmd/internal/units"
)

// View draws the screen, exactly as large as the terminal is.
func (s *screen) View() tea.View {
	v := tea.NewView(s.draw())
	v.AltScreen = true
	v.WindowTitle = "sluice top"
	return v
}

// draw is the screen as text with styles, never more lines than there are.
func (s *screen) draw() string {
	if s.width == 0 || s.height == 0 {
		return ""
	}
	lines := s.head()
	body := s.room()
	switch {
	case s.asked != nil:
		lines = append(lines, line{})
		lines = append(lines, s.asked.lines(s.width-1)...)
	case s.help:
		lines = append(lines, line{})
		for _, t := range helpText {
			lines = append(lines, text("  "+t))
		}
	default:
		lines = append(lines, s.middle(body)...)
		lines = append(lines, s.recent()...)
	}
	for len(lines) < s.height-1 {
		lines = append(lines, line{})
	}
	lines = append(lines[:s.height-1], s.foot())
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = l.render(s.width)
	}
	return strings.Join(out, "\n")
}

// headLines is how many lines head has.
const headLines = 3

// head is what is known of all of Sluice, and the pages there are.
func (s *screen) head() []line {
	if s.status == nil {
		return []line{{{"sluice", bold}}, text(s.connection()), {}}
	}
	st := s.status
	first := line{{"sluice on " + clean(st.Host), bold}, {fmt.Sprintf(", up %s, ", units.Age(st.Uptime)), plain}}
	switch {
	case s.why != nil:
		first = append(first, span{s.connection(), red})
	case st.Draining:
		first = append(first, span{"DRAINING: it ends with its last session", yellow})
	case !st.Ready:
		first = append(first, span{"NOT READY: " + clean(strings.Join(st.NotReady, "; ")), red})
	case !st.Config.LastReload.OK:
		first = append(first, span{"ready", green}, span{", the last reload was REFUSED (sluice status says why)", yellow})
	default:
		first = append(first, span{"ready", green})
	}
	second := text(fmt.Sprintf("%s (room for %s)  new %s  in %s  out %s", counted(st.Sessions.Open, "session"),
		units.Count(st.Sessions.Capacity), howOften(s.rates.total.begun), perSecond(s.rates.total.in), perSecond(s.rates.total.out)))
	if s.why != nil {
		second = second.dim()
	}
	return []line{first, second, s.tabs()}
}

// connection says that there is none.
func (s *screen) connection() string {
	if s.why == nil {
		return "connecting"
	}
	return fmt.Sprintf("CONNECTION LOST since %s, trying again: %s", s.lost.Format(time.TimeOnly), clean(s.why.Error()))
}

// tabs are the pages, and what is shown of the one that is.
func (s *screen) tabs() (out line) {
	for i, name := range [pages]string{"Nodes", "Sessions", "Events"} {
		label, how := fmt.Sprintf(" %d %s ", i+1, name), faint
		if page(i) == s.page {
			how = reverse
		}
		out = append(out, span{label, how}, span{" ", plain})
	}
	p := s.here()
	switch {
	case s.page == nodesPage && p.order > 0:
		out = append(out, span{" by " + nodeOrders[p.order].name, faint})
	case s.page == sessionsPage:
		sum := fmt.Sprintf(" %s of %s, %s,", units.Count(s.list.Matched), units.Count(s.list.Total), sessionOrders[p.order].name)
		out = append(out, span{sum, faint})
		if s.of != nil {
			out = append(out, span{" of " + clean(s.of.String()), cyan})
		}
	}
	if all, rows := s.rows(), s.room(); s.page != eventsPage && all > rows {
		first := scroll(p.at, all, rows)
		out = append(out, span{fmt.Sprintf(" rows %d-%d", first+1, first+rows), faint})
		if s.page == nodesPage {
			out = append(out, span{fmt.Sprintf(" of %d", all), faint})
		}
	}
	if p.filter != "" && !s.typing {
		out = append(out, span{" with " + fmt.Sprintf("%q", clean(p.filter)), cyan})
	}
	return out
}

// room is how many rows of a table there are.
func (s *screen) room() int {
	rows := s.height - headLines - 2 // the titles, and the foot
	if s.page != eventsPage {
		rows -= s.recentLines()
	}
	return max(1, rows)
}

// middle is the page, so many rows of it, and the cursor on one.
func (s *screen) middle(rows int) []line {
	if s.page == eventsPage {
		return s.eventLines(rows + 1)
	}
	t := sessionTable(s.list.Sessions)
	if s.page == nodesPage && s.status != nil {
		t = nodeTable(s.nodes(), &s.rates, s.status.Time)
	}
	// All rows have a say in the widths, so that scrolling does not move the columns.
	widths := t.layout(s.width)
	out := []line{t.head(widths)}
	at := s.here().at
	first := scroll(at, len(t.rows), rows)
	for i := first; i < min(len(t.rows), first+rows); i++ {
		l := t.line(t.rows[i], widths)
		switch {
		case i == at:
			l = l.under(s.width)
		case s.why != nil:
			l = l.dim()
		}
		out = append(out, l)
	}
	if len(t.rows) == 0 {
		out = append(out, line{{s.nothing(), faint}})
	}
	for len(out) < rows+1 {
		out = append(out, line{})
	}
	return out
}

// nothing says why there are no rows.
func (s *screen) nothing() string {
	switch {
	case s.here().filter != "":
		return "nothing has that in it; Esc shows all"
	case s.page == sessionsPage:
		return "no sessions"
	}
	return "no nodes"
}

// scroll is the first of so many rows that are shown, with the cursor in the middle where it can be.
func scroll(at, all, rows int) int { return max(0, min(at-rows/2, all-rows)) }

// about is what there is to know of the row under the cursor that the table may have no room for.
func (s *screen) about() string {
	if n := s.node(); n != nil {
		return fmt.Sprintf("%s %s: %s for %s, %s", clean(n.Pool), clean(n.Name), n.State(), units.Age(s.status.Time.Sub(n.Since).Seconds()), clean(n.Reason))
	}
	if one := s.session(); one != nil {
		return fmt.Sprintf("session %s: server name %s, listener %s, %s, %s", idText(one.ID), units.OrDash(clean(one.ServerName)),
			clean(one.Listener), one.Phase, units.OrDash(one.Path))
	}
	return ""
}

// recentLines is how many lines the last events have below a table.
func (s *screen) recentLines() int {
	switch {
	case s.height >= 40:
		return 9
	case s.height >= 20:
		return 5
	}
	return 0
}

// recent is the last events, below a table.
func (s *screen) recent() (out []line) {
	n := s.recentLines()
	if n == 0 || s.page == eventsPage {
		return nil
	}
	rule := "── "
	if about := s.about(); about != "" {
		rule += cut(about, s.width-8) + " "
	}
	out = append(out, line{{rule + strings.Repeat("─", max(0, s.width-utf8.RuneCountInString(rule))), faint}})
	for i := range s.events[:min(len(s.events), n-1)] {
		out = append(out, eventLine(&s.events[i]))
	}
	return out
}

// shownEvents are those with the filter's text in them.
func (s *screen) shownEvents() (out []line) {
	filter := strings.ToLower(s.places[eventsPage].filter)
	for i := range s.events {
		if l := eventLine(&s.events[i]); strings.Contains(strings.ToLower(l.String()), filter) {
			out = append(out, l)
		}
	}
	return out
}

// eventLines is the page of events.
func (s *screen) eventLines(rows int) []line {
	all := s.shownEvents()
	if len(all) == 0 {
		return []line{{{"no events", faint}}}
	}
	first := max(0, min(s.here().at, len(all)-rows))
	return all[first:min(len(all), first+rows)]
}

func eventLine(e *admin.Event) line {
	what, how := sentence(e)
	return line{{e.Time.Local().Format(time.TimeOnly) + "  ", faint}, {what, how}}
}

// foot is the last line: the filter, what the last act came to, or the keys there are.
func (s *screen) foot() line {
	switch {
	case s.typing:
		return line{{"show only: ", bold}, {clean(s.here().filter), plain}, {" ", reverse}, {"   Enter keeps it, Esc shows all", faint}}
	case s.said.err != nil:
		return line{{"NOT DONE: " + clean(s.said.err.Error()), red}}
	case s.said.text != "":
		return line{{clean(s.said.text), bold}}
	case s.help:
		return line{{"any key goes back", faint}}
	case s.asked != nil:
		return line{}
	}
	keys := [pages]string{
		"d drain r ready m maint x end  Enter sessions  ",
		"x kill  Esc all  ",
		"",
	}[s.page]
	if s.why != nil {
		keys = ""
	}
	return line{{keys + "/ filter o order ? help q quit", faint}}
}
