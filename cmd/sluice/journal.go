package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"

	"github.com/coreos/go-systemd/v22/journal"

	"github.com/sluicelb/sluice/configs"
	"github.com/sluicelb/sluice/l4"
)

// A journalOutput is systemd's journal, by its native protocol: what a record says is its text, and fields of
// their own by which it can be found: journalctl SLUICE_NODE=10.0.0.1:9000.
type journalOutput struct {
	send func(journalMessage) error
}

// journalMessage is one entry of the journal.
type journalMessage struct {
	text     string
	priority journal.Priority
	fields   map[string]string
}

var errNoJournal = errors.New("log.output \"journald\": there is no journal here (/run/systemd/journal/socket); use \"stderr\" or a file")

func openJournal() (output, error) {
	if !journal.Enabled() {
		return nil, errNoJournal
	}
	return &journalOutput{send: func(m journalMessage) error { return journal.Send(m.text, m.priority, m.fields) }}, nil
}

func (j *journalOutput) write(line []byte) error {
	return j.send(journalMessage{text: string(line), priority: journal.PriInfo})
}

func (j *journalOutput) sessions(_ configs.LogFormat, msg string, batch []l4.Record) error {
	var failed error
	for i := range batch {
		b := &batch[i]
		line := appendSession(nil, configs.LogText, msg, b)
		m := journalMessage{text: withoutHead(line), priority: journal.PriInfo, fields: map[string]string{
			"SLUICE_LISTENER": b.Listener, "SLUICE_POOL": b.Pool, "SLUICE_NODE": b.Node,
			"SLUICE_CLIENT": b.Client.Addr().String(), "SLUICE_CAUSE": b.Cause.String(), "SLUICE_PHASE": b.Phase.String(),
			"SYSLOG_IDENTIFIER": "sluice",
		}}
		if err := j.send(m); err != nil {
			failed = err
		}
	}
	return failed
}

func (j *journalOutput) close() {}

// withoutHead is a line of slog's text without time and level, which the journal has itself.
func withoutHead(line []byte) string {
	_, rest, found := bytes.Cut(line, []byte(" msg="))
	if !found {
		rest = line
	}
	return strings.TrimSuffix(string(rest), "\n")
}

// journalHandler is a [slog.Handler] that sends each record to the journal.
type journalHandler struct {
	level slog.Level
	send  func(journalMessage)
	with  []func(slog.Handler) slog.Handler // what WithAttrs and WithGroup have added
}

func (h *journalHandler) Enabled(_ context.Context, level slog.Level) bool { return level >= h.level }

func (h *journalHandler) Handle(ctx context.Context, rec slog.Record) error {
	m := journalMessage{priority: priorityOf(rec.Level), fields: map[string]string{"SYSLOG_IDENTIFIER": "sluice"}}
	rec.Attrs(func(a slog.Attr) bool {
		if name := fieldOf(a.Key); name != "" {
			m.fields[name] = a.Value.Resolve().String()
		}
		return true
	})
	var text slog.Handler = newHandler(writerFunc(func(line []byte) { m.text = withoutHead(line) }), configs.Log{Level: h.level})
	for _, add := range h.with {
		text = add(text)
	}
	if err := text.Handle(ctx, rec); err != nil {
		return err
	}
	h.send(m)
	return nil
}

func (h *journalHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return h.adding(func(to slog.Handler) slog.Handler { return to.WithAttrs(attrs) })
}

func (h *journalHandler) WithGroup(name string) slog.Handler {
	return h.adding(func(to slog.Handler) slog.Handler { return to.WithGroup(name) })
}

func (h *journalHandler) adding(f func(slog.Handler) slog.Handler) slog.Handler {
	return &journalHandler{level: h.level, send: h.send, with: append(h.with[:len(h.with):len(h.with)], f)}
}

// fieldOf is the journal's name for an attribute; "" if it cannot have one (systemd.journal-fields(7)).
func fieldOf(key string) string {
	name := "SLUICE_" + strings.ToUpper(key)
	for _, c := range name {
		if (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' {
			return ""
		}
	}
	return name
}

func priorityOf(level slog.Level) journal.Priority {
	switch {
	case level >= slog.LevelError:
		return journal.PriErr
	case level >= slog.LevelWarn:
		return journal.PriWarning
	case level >= slog.LevelInfo:
		return journal.PriInfo
	}
	return journal.PriDebug
}
