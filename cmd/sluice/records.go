package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"

	"github.com/sluicelb/sluice/cmd/internal/admin"
	"github.com/sluicelb/sluice/configs"
	"github.com/sluicelb/sluice/l4"
)

// records is where everything that is written down goes: a slog handler whose settings a reload can
// change under those that log.
//
// Nobody waits for it: what a slow reader does not take is dropped and counted. Records of sessions come
// in batches from a goroutine of their own, so those may block; all else goes through a queue.
//
// It is safe for concurrent use. It must be closed.
type records struct {
	stderr  io.Writer
	queue   *queue
	current atomic.Pointer[recordSettings]
	lost    atomic.Uint64 // that could not be written
	leftOut atomic.Uint64 // by log.sample
}

// recordSettings is one [log] table at work.
type recordSettings struct {
	configs.Log
	handler slog.Handler // writes to the queue
	out     output
}

// newRecords begins to write as cfg says. The error is that the output cannot be opened.
func newRecords(stderr io.Writer, cfg configs.Log) (*records, error) {
	r := &records{stderr: stderr, queue: newQueue()}
	if err := r.configure(cfg); err != nil {
		r.queue.close()
		return nil, err
	}
	return r, nil
}

// configure puts new settings into effect, and opens the output anew: after the file was moved away, what
// follows goes to a new one. If that fails, what was open stays, with the other settings; the error says so.
func (r *records) configure(cfg configs.Log) error {
	old := r.current.Load()
	out, err := openOutput(r.stderr, cfg)
	if err != nil {
		if old == nil {
			return err
		}
		out, err = old.out, fmt.Errorf("%w; records go where they went before", err)
	}
	r.current.Store(&recordSettings{Log: cfg, handler: r.handlerTo(out, cfg), out: out})
	if old != nil && old.out != out {
		r.queue.add(old.out.close) // behind what is on its way there
	}
	return err
}

// reopen opens the output anew, for those who have moved the file away.
func (r *records) reopen() error { return r.configure(r.current.Load().Log) }

// close writes what waits, and closes the output.
func (r *records) close() {
	r.queue.close()
	r.current.Load().out.close()
}

// handlerTo makes the slog handler for an output. Its records are formatted by whoever logs, and written by
// the queue.
func (r *records) handlerTo(out output, cfg configs.Log) slog.Handler {
	if j, ok := out.(*journalOutput); ok {
		return &journalHandler{level: cfg.Level, send: func(m journalMessage) { r.later(func() error { return j.send(m) }) }}
	}
	return newHandler(writerFunc(func(line []byte) {
		line = bytes.Clone(line)
		r.later(func() error { return r.output(func(out output, _ configs.LogFormat) error { return out.write(line) }) })
	}), cfg)
}

// later has f run by the queue.
func (r *records) later(f func() error) {
	queued := r.queue.add(func() {
		if f() != nil {
			r.lost.Add(1)
		}
	})
	if !queued {
		r.lost.Add(1)
	}
}

// output has f write to the output there is: to the next, where that was closed meanwhile.
func (r *records) output(f func(output, configs.LogFormat) error) error {
	for {
		set := r.current.Load()
		err := f(set.out, set.Format)
		if !errors.Is(err, errOutputClosed) || r.current.Load() == set {
			return err
		}
	}
}

func newHandler(w io.Writer, cfg configs.Log) slog.Handler {
	options := &slog.HandlerOptions{Level: cfg.Level}
	if cfg.Format == configs.LogJSON {
		options.ReplaceAttr = durationsInSeconds
		return slog.NewJSONHandler(w, options)
	}
	return slog.NewTextHandler(w, options)
}

// durationsInSeconds writes a duration as metrics have it, but exactly. slog's own JSON has nanoseconds.
func durationsInSeconds(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		a.Value = slog.AnyValue(json.Number(appendSeconds(nil, a.Value.Duration())))
	}
	return a
}

// Records of sessions have one of these messages: at the end, and while a session lives (log.interim).
const (
	sessionEnded = "session"
	sessionOpen  = "session open"
)

// sessions writes the records of ended sessions. Of clean ones it writes the share that log.sample says.
func (r *records) sessions(batch []l4.Record) {
	set := r.current.Load()
	if !set.Sessions || set.Level > slog.LevelInfo {
		return
	}
	if set.Sample < 1 {
		kept := batch[:0]
		for _, b := range batch {
			if clean(&b) && rand.Float64() >= set.Sample {
				r.leftOut.Add(1)
				continue
			}
			kept = append(kept, b)
		}
		batch = kept
	}
	r.write(sessionEnded, batch)
}

// clean reports whether a session came to its end with nothing lost.
func clean(b *l4.Record) bool { return b.Cause == l4.CauseClient || b.Cause == l4.CauseNode }

// open writes the records so far of sessions that live.
func (r *records) open(batch []l4.Record) {
	if set := r.current.Load(); set.Sessions && set.Level <= slog.LevelInfo {
		r.write(sessionOpen, batch)
	}
}

// write writes the records of sessions, all of a batch with one call where that is possible.
func (r *records) write(msg string, batch []l4.Record) {
	if len(batch) == 0 {
		return
	}
	err := r.output(func(out output, format configs.LogFormat) error { return out.sessions(format, msg, batch) })
	if err != nil {
		r.lost.Add(uint64(len(batch)))
	}
}

// tell says in the log what was lost and left out since it was last called, if anything was.
func (r *records) tell(last *admin.RecordCounts, dropped uint64) {
	now := r.counts(dropped)
	log := slog.New(r)
	if n := now.Dropped - last.Dropped; n > 0 {
		log.Warn("records lost", "count", n, "hint", "whoever reads them is too slow, or the disk is full")
	}
	if n := now.LeftOut - last.LeftOut; n > 0 {
		log.Info("sessions left out", "count", n, "sample", r.current.Load().Sample)
	}
	*last = now
}

// counts is what became of records that were not written; dropped is what did not even get here.
func (r *records) counts(dropped uint64) admin.RecordCounts {
	return admin.RecordCounts{Dropped: r.lost.Load() + dropped, LeftOut: r.leftOut.Load()}
}

// sessionAttrs is the one list of what is said about a session, in this order.
func sessionAttrs(b *l4.Record) []slog.Attr {
	attrs := []slog.Attr{
		slog.Uint64("id", b.ID),
		slog.String("listener", b.Listener),
		slog.String("route", b.Route),
		slog.String("pool", b.Pool),
		slog.String("node", b.Node),
		slog.String("client", b.Client.String()),
		slog.String("server_name", b.ServerName),
		slog.Any("alpn", b.ALPN),
		slog.String("cause", b.Cause.String()),
		slog.String("phase", b.Phase.String()),
		slog.Uint64("bytes_in", b.BytesIn),
		slog.Uint64("bytes_out", b.BytesOut),
		slog.Duration("t_header", b.Header),
		slog.Duration("t_hello", b.Hello),
		slog.Duration("t_dial", b.Dial),
		slog.Duration("t_first_byte", b.FirstByte),
		slog.Duration("dur", b.Duration),
		slog.Int("retries", b.Retries),
		slog.String("path", b.Path),
	}
	if b.Subject != "" {
		attrs = append(attrs, slog.String("subject", b.Subject))
	}
	if b.Detail != "" {
		attrs = append(attrs, slog.String("detail", b.Detail))
	}
	return attrs
}

// sessionRecord is the slog record of a session. Its time is when the session ended, or now.
func sessionRecord(msg string, b *l4.Record) slog.Record {
	rec := slog.NewRecord(b.Accepted.Add(b.Duration), slog.LevelInfo, msg, 0)
	rec.AddAttrs(sessionAttrs(b)...)
	return rec
}

// Enabled, Handle, WithAttrs and WithGroup make records a [slog.Handler].

func (r *records) Enabled(_ context.Context, level slog.Level) bool {
	return level >= r.current.Load().Level
}

func (r *records) Handle(ctx context.Context, rec slog.Record) error {
	return r.current.Load().handler.Handle(ctx, rec)
}

func (r *records) WithAttrs(attrs []slog.Attr) slog.Handler {
	return r.current.Load().handler.WithAttrs(attrs)
}

func (r *records) WithGroup(name string) slog.Handler {
	return r.current.Load().handler.WithGroup(name)
}

// writerFunc is an [io.Writer] that takes all.
type writerFunc func([]byte)

func (f writerFunc) Write(b []byte) (int, error) {
	f(b)
	return len(b), nil
}
