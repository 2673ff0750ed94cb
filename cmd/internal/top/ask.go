package top

import (
	"context"
	"net/url"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/sluicelb/sluice/cmd/internal/admin"
)

// Messages to the screen, beside those of the library.
type (
	tickMsg struct{} // it is time to ask

	statusMsg struct {
		status admin.Status
		err    error
		extra  bool // beside those that come by the clock
	}
	sessionsMsg struct {
		query string // the question that this answers
		list  admin.Sessions
		err   error
	}
	eventMsg   admin.Event
	outlookMsg struct {
		node    nodeID // whose question this answers
		outlook admin.DrainOutlook
		err     error
	}
	doneMsg struct {
		text string // what was done
		err  error  // why it was not
	}
)

// asker makes the commands of the library that ask the API. Its context is that of the whole screen.
type asker struct {
	ctx    context.Context
	client *admin.Client
}

// within runs f in the background, for as long as wait.
func (a asker) within(wait time.Duration, f func(context.Context) tea.Msg) tea.Cmd {
	return func() tea.Msg {
		ctx, stop := context.WithTimeout(a.ctx, wait)
		defer stop()
		return f(ctx)
	}
}

// status asks for the status; extra says that the next one by the clock is under way as well.
func (a asker) status(extra bool) tea.Cmd {
	return a.within(patience, func(ctx context.Context) tea.Msg {
		st, err := a.client.Status(ctx)
		return statusMsg{st, err, extra}
	})
}

func (a asker) sessions(query url.Values) tea.Cmd {
	return a.within(patience, func(ctx context.Context) tea.Msg {
		list, err := a.client.Sessions(ctx, query)
		return sessionsMsg{query.Encode(), list, err}
	})
}

func (a asker) outlook(n nodeID) tea.Cmd {
	return a.within(askPatience, func(ctx context.Context) tea.Msg {
		o, err := a.client.AskDrain(ctx, n.pool, n.name)
		return outlookMsg{n, o, err}
	})
}

// setNodes says a word to nodes, one after the other, until one is refused.
func (a asker) setNodes(nodes []nodeID, word string, force bool) tea.Cmd {
	return a.within(askPatience, func(ctx context.Context) tea.Msg {
		done := doneMsg{}
		for _, n := range nodes {
			change, err := a.client.SetNode(ctx, n.pool, n.name, word, force)
			if err != nil {
				return doneMsg{text: done.text, err: err}
			}
			if done.text != "" {
				done.text += "; "
			}
			done.text += n.String() + ": " + change.Was + " -> " + change.Admin
		}
		return done
	})
}

func (a asker) endSessions(n nodeID) tea.Cmd {
	return a.within(patience, func(ctx context.Context) tea.Msg {
		k, err := a.client.KillNode(ctx, n.pool, n.name)
		return doneMsg{counted(k.Killed, "session") + " of " + n.String() + " ended", err}
	})
}

func (a asker) endSession(id uint64) tea.Cmd {
	return a.within(patience, func(ctx context.Context) tea.Msg {
		_, err := a.client.Kill(ctx, id)
		return doneMsg{"session " + idText(id) + " ended", err}
	})
}
