package main

import (
	"context"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluicelb/sluice/cmd/internal/admin"
	"github.com/sluicelb/sluice/configs"
	"github.com/sluicelb/sluice/l4"
	"github.com/sluicelb/sluice/pool"
)

// A service is a configuration at work.
type service struct {
	records *records
	log     *slog.Logger
	events  *admin.Events
	pools   *pool.Set
	server  *l4.Server
	admin   *admin.Server
	leave   *leave
	over    chan struct{} // closed by close
	keeping sync.WaitGroup

	reloading sync.Mutex // one reload at a time
	cfg       atomic.Pointer[configs.Config]
	last      atomic.Pointer[admin.Reload] // the start counts as one
	inEffect  atomic.Pointer[time.Time]    // since when cfg is
}

// start puts a configuration to work; the problems are the warnings that came with it. The service must be closed.
func start(cfg *configs.Config, problems []configs.Problem, stderr io.Writer) (*service, error) {
	records, err := newRecords(stderr, cfg.Log)
	if err != nil {
		return nil, err
	}
	s := &service{records: records, events: admin.NewEvents(), leave: newLeave(), over: make(chan struct{})}
	s.log = slog.New(s.records)
	s.pools = pool.NewSet(s.log, s.nodeChanged)
	s.pools.CheckHeader = l4.CheckHeader
	s.server, err = l4.New(l4.Options{
		Log: s.log, Pools: s.pools, Ended: s.records.sessions, Reread: s.filesChanged,
		Loops: cfg.Limits.Loops, Pipes: cfg.Limits.Pipes,
		Alone: true,
	})
	if err == nil {
		s.admin = admin.New(s.process())
		s.note("configuration", problems)
		err = s.apply(cfg, problems)
	}
	if err != nil {
		s.close()
		return nil, err
	}
	s.keeping.Go(func() { s.keepRecords(s.over) })
	if at := s.admin.Address(); at != nil {
		s.log.Info("admin", "listen", at.String())
	}
	return s, nil
}

// process is the service as the admin API sees it.
func (s *service) process() admin.Process {
	v := readVersion()
	return admin.Process{
		Log:    s.log,
		Build:  admin.Build{Version: v.Version, Commit: v.Commit, Go: v.Go},
		L4:     s.server,
		Pools:  s.pools,
		Events: s.events,

		Config:     s.config,
		Reload:     s.reload,
		LastReload: func() admin.Reload { return *s.last.Load() },
		InEffect:   func() time.Time { return *s.inEffect.Load() },

		Drain:    s.beginLeave,
		Draining: s.leave.hasBegun,

		Certificates: s.server.Certificates,

		Records: func() admin.RecordCounts { return s.records.counts(s.server.RecordsDropped()) },
	}
}

// config is the configuration in effect.
func (s *service) config() *configs.Config { return s.cfg.Load() }

// apply puts a configuration into effect, all of it or with an error nothing. The problems are the warnings
// that came with it.
func (s *service) apply(cfg *configs.Config, problems []configs.Problem) error {
	next, err := s.admin.Prepare(cfg.Admin)
	if err != nil {
		return err
	}
	before := s.server.Addresses()
	if err := s.server.Apply(cfg); err != nil {
		next.Discard()
		return err
	}
	now := time.Now()
	last := admin.NewReload(now, problems, nil)
	s.cfg.Store(cfg)
	s.last.Store(&last)
	s.inEffect.Store(&now)
	next.Commit()
	s.noteListeners(before, s.server.Addresses())
	return nil
}

// reload puts the file as it is now into effect: all of it, or with an error nothing.
func (s *service) reload() admin.Reload {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	path := s.config().Path
	cfg, report := configs.Load(path)
	s.note("reload", report.Problems)
	err := report.Err()
	if err == nil {
		err = s.apply(cfg, report.Problems)
	}
	if err != nil {
		s.reopened(s.records.reopen()) // whoever has moved the file away need not know of this
		failed := admin.NewReload(time.Now(), report.Problems, err)
		s.last.Store(&failed)
		s.log.Error("reload", "file", path, "result", "nothing has changed", "error", err)
		s.events.Publish(admin.Event{Kind: admin.KindReload, New: "refused", Reason: err.Error()})
		return failed
	}
	s.reopened(s.records.configure(cfg.Log))
	s.log.Info("reload", "file", path, "result", "in effect")
	s.events.Publish(admin.Event{Kind: admin.KindReload, New: "in effect", Reason: path})
	return *s.last.Load()
}

// reopened says that the output of the records could not be opened again, if so.
func (s *service) reopened(err error) {
	if err != nil {
		s.log.Error("log", "error", err)
	}
}

// filesChanged is told of every change of certificates and what belongs to them.
func (s *service) filesChanged(listener string, files []string, err error) {
	e := admin.Event{Kind: admin.KindCertificate, Listener: listener, New: "in use", Reason: strings.Join(files, ", ")}
	if err != nil {
		e.New, e.Reason = "refused", e.Reason+": "+err.Error()
	}
	s.events.Publish(e)
}

// nodeChanged is told of every transition of a node.
func (s *service) nodeChanged(e pool.Event) {
	s.events.PublishPool(e)
	if e.Kind != pool.KindHealth || e.New != pool.Down.String() {
		return
	}
	for _, p := range s.pools.Pools() {
		if p.Name() == e.Pool && p.Config().OnDown == configs.Close {
			s.server.NodeDown(e.Node)
		}
	}
}

// noteListeners says which addresses are bound now and were not, and the reverse.
func (s *service) noteListeners(before, after []l4.Bound) {
	note := func(bound, without []l4.Bound, old, new string) {
		for _, b := range bound {
			if !contains(without, b) {
				s.events.Publish(admin.Event{Kind: admin.KindListener, Listener: b.Listener, Old: old, New: new, Reason: b.Address.String()})
			}
		}
	}
	note(before, after, "bound", "")
	note(after, before, "", "bound")
}

func contains(bounds []l4.Bound, b l4.Bound) bool {
	same := func(a, b net.Addr) bool { return a.String() == b.String() }
	for _, other := range bounds {
		if other.Listener == b.Listener && same(other.Address, b.Address) {
			return true
		}
	}
	return false
}

// note writes down what was found in a configuration file.
func (s *service) note(msg string, problems []configs.Problem) {
	for _, p := range problems {
		level := slog.LevelError
		if p.Warning {
			level = slog.LevelWarn
		}
		s.log.Log(context.Background(), level, msg, "problem", p.String())
	}
}

// close ends everything now.
func (s *service) close() {
	s.leave.stop()
	if s.server != nil {
		s.server.Close()
	}
	if s.admin != nil {
		s.admin.Close()
	}
	s.pools.Close()
	close(s.over)
	s.keeping.Wait()
	s.records.close()
}
