package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/sluicelb/sluice/configs"
	"github.com/sluicelb/sluice/l4"
)

// records is where everything that is written down goes: a slog handler whose settings a reload can
// change under those that log.
//
// It is safe for concurrent use.
type records struct {
	out     *lockedWriter
	current atomic.Pointer[recordSettings]
}

type recordSettings struct {
	handler  slog.Handler
	format   configs.LogFormat
	level    slog.Level
	sessions bool
}

func newRecords(out io.Writer, cfg configs.Log) *records {
	r := &records{out: &lockedWriter{w: out}}
	r.configure(cfg)
	return r
}

// configure puts new settings into effect.
func (r *records) configure(cfg configs.Log) {
	r.current.Store(&recordSettings{
		handler:  newHandler(r.out, cfg),
		format:   cfg.Format,
		level:    cfg.Level,
		sessions: cfg.Sessions,
	})
}

func newHandler(w io.Writer, cfg configs.Log) slog.Handler {
	options := &slog.HandlerOptions{Level: cfg.Level}
	if cfg.Format == configs.LogJSON {
		options.ReplaceAttr = durationsInSeconds
		return slog.NewJSONHandler(w, options)
	}
	return slog.NewTextHandler(w, options)
}

// durationsInSeconds writes a duration as metrics have it. slog's own JSON has nanoseconds.
func durationsInSeconds(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		a.Value = slog.Float64Value(a.Value.Duration().Seconds())
	}
	return a
}

// sessions writes the records of ended sessions, all of a batch with one call.
func (r *records) sessions(batch []l4.Record) {
	set := r.current.Load()
	if !set.sessions || set.level > slog.LevelInfo {
		return
	}
	var text bytes.Buffer
	h := newHandler(&text, configs.Log{Format: set.format, Level: set.level})
	for i := range batch {
		b := &batch[i]
		rec := slog.NewRecord(b.Accepted.Add(b.Duration), slog.LevelInfo, "session", 0)
		rec.AddAttrs(sessionAttrs(b)...)
		h.Handle(context.Background(), rec)
	}
	r.out.Write(text.Bytes())
}

// sessionAttrs is the one list of what is said about a session, in this order.
func sessionAttrs(b *l4.Record) []slog.Attr {
	return []slog.Attr{
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
}

// Enabled, Handle, WithAttrs and WithGroup make records a [slog.Handler].

func (r *records) Enabled(_ context.Context, level slog.Level) bool {
	return level >= r.current.Load().level
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

// A lockedWriter lets several handlers write to one place.
type lockedWriter struct {
	mu sync.Mutex // guards w
	w  io.Writer
}

func (l *lockedWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}
