// Package top is the screen of `sluice top`: what a running Sluice does, on a terminal, again and again, and what
// an operator can do about it.
//
//	err := top.Run(ctx, client, top.Options{In: os.Stdin, Out: os.Stdout})
//
// It asks the admin API and nothing else. What it shows is made by pure functions of the last answers; keys and
// answers are messages to one [screen], one after the other. A connection that is lost is said and tried again,
// for as long as it takes.
package top

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/sluicelb/sluice/cmd/internal/admin"
)

// Options says where the terminal is and how often it shows something new.
type Options struct {
	In       io.Reader
	Out      io.Writer
	Interval time.Duration // between two statuses; 0: two seconds
}

// Bounds of waiting.
const (
	defaultInterval = 2 * time.Second
	slowest         = 10 * time.Second // between two attempts, while there is no answer
	patience        = 5 * time.Second  // for an answer that is at hand
	askPatience     = 15 * time.Second // for a MinIO node that asks all others
)

// Run shows the screen until the person leaves it or ctx ends, which is no error. The terminal is then as it
// was before.
func Run(ctx context.Context, client *admin.Client, o Options) error {
	if o.Interval == 0 {
		o.Interval = defaultInterval
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	options := []tea.ProgramOption{tea.WithContext(ctx), tea.WithInput(o.In), tea.WithOutput(o.Out), tea.WithoutSignalHandler()}
	if os.Getenv("NO_COLOR") != "" { // whatever it is: the library insists on a 1
		options = append(options, tea.WithEnvironment(append(os.Environ(), "NO_COLOR=1")))
	}
	p := tea.NewProgram(newScreen(asker{ctx, client}, o.Interval), options...)
	followed := make(chan struct{})
	go func() {
		defer close(followed)
		follow(ctx, client, p.Send)
	}()
	_, err := p.Run()
	if ctx.Err() != nil || errors.Is(err, tea.ErrInterrupted) {
		err = nil
	}
	stop()
	<-followed
	return err
}

// follow sends the events until ctx ends.
func follow(ctx context.Context, client *admin.Client, send func(tea.Msg)) {
	const pause = 2 * time.Second
	for last := uint64(0); ctx.Err() == nil; {
		client.Follow(ctx, last, func(ev admin.Event) error {
			last = ev.ID
			send(eventMsg(ev))
			return nil
		}) // that it is lost, the status says
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}
