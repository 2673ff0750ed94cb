package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/sluicelb/sluice/configs"
	"github.com/sluicelb/sluice/l4"
	"github.com/sluicelb/sluice/pool"
)

// A service is a configuration at work.
type service struct {
	records *records
	log     *slog.Logger
	pools   *pool.Set
	server  *l4.Server

	reloading sync.Mutex // one reload at a time
	cfg       atomic.Pointer[configs.Config]
}

// start puts a configuration to work. The service must be closed.
func start(cfg *configs.Config, stderr io.Writer) (*service, error) {
	s := &service{records: newRecords(stderr, cfg.Log)}
	s.log = slog.New(s.records)
	s.pools = pool.NewSet(s.log, nil)
	s.pools.CheckHeader = l4.CheckHeader
	var err error
	s.server, err = l4.New(l4.Options{
		Log: s.log, Pools: s.pools, Ended: s.records.sessions,
		Loops: cfg.Limits.Loops, Pipes: cfg.Limits.Pipes,
	})
	if err == nil {
		err = s.server.Apply(cfg)
	}
	if err != nil {
		s.close()
		return nil, err
	}
	s.cfg.Store(cfg)
	return s, nil
}

// config is the configuration in effect.
func (s *service) config() *configs.Config { return s.cfg.Load() }

// reload puts the file as it is now into effect: all of it, or with an error nothing.
func (s *service) reload() error {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	path := s.config().Path
	cfg, problems := configs.Load(path)
	for _, p := range problems.Problems {
		level := slog.LevelError
		if p.Warning {
			level = slog.LevelWarn
		}
		s.log.Log(context.Background(), level, "reload", "problem", p.String())
	}
	err := problems.Err()
	if err == nil {
		err = s.server.Apply(cfg)
	}
	if err != nil {
		s.log.Error("reload", "file", path, "result", "nothing has changed", "error", err)
		return err
	}
	s.cfg.Store(cfg)
	s.records.configure(cfg.Log)
	s.log.Info("reload", "file", path, "result", "in effect")
	return nil
}

// errCut ends a drain that was cut short by a second signal.
var errCut = errors.New("told again: stopping now")

// drain lets the sessions finish, for as long as the configuration says or until the next signal to stop.
func (s *service) drain(signals <-chan os.Signal) error {
	ctx, stop := context.WithTimeout(context.Background(), s.config().Timeouts.Drain)
	defer stop()
	ctx, cut := context.WithCancelCause(ctx)
	defer cut(nil)
	drained := make(chan error, 1)
	go func() { drained <- s.server.Shutdown(ctx) }()
	for {
		select {
		case err := <-drained:
			return err
		case sig := <-signals:
			if sig != syscall.SIGHUP {
				cut(errCut)
			}
		}
	}
}

// close ends everything now.
func (s *service) close() {
	if s.server != nil {
		s.server.Close()
	}
	s.pools.Close()
}
