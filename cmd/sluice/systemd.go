package main

import (
	"log/slog"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// A manager is the service manager that has started the process and waits for its word: systemd with
// Type=notify or notify-reload, and WatchdogSec (sd_notify(3), systemd.service(5)). Without one all of this
// does nothing.
//
// What a manager hears of the watchdog comes from the loop that takes the signals: it is silent if that is stuck.
type manager struct {
	log  *slog.Logger
	beat <-chan time.Time // when to tell the watchdog; nil: nobody watches
	stop func()
}

// newManager asks the environment who waits. It must be closed.
func newManager(log *slog.Logger) *manager {
	m := &manager{log: log, stop: func() {}}
	every, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		log.Warn("service manager", "problem", "no watchdog: "+err.Error())
	}
	if every > 0 {
		tick := time.NewTicker(every / 2) // sd_watchdog_enabled(3) recommends half
		m.beat, m.stop = tick.C, tick.Stop
	}
	return m
}

func (m *manager) close() { m.stop() }

// ready says that all listeners are bound, or that a reload is over, with a line for systemctl status.
func (m *manager) ready(status string) { m.tell(daemon.SdNotifyReady + "\nSTATUS=" + status) }

// reloading says that a reload begins; ready must follow.
func (m *manager) reloading() {
	m.tell(daemon.SdNotifyReloading + "\n" + daemon.SdNotifyMonotonicUsec())
}

// stopping says that the process ends when its sessions do.
func (m *manager) stopping() { m.tell(daemon.SdNotifyStopping + "\nSTATUS=draining") }

// alive resets the watchdog.
func (m *manager) alive() { m.tell(daemon.SdNotifyWatchdog) }

func (m *manager) tell(state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		m.log.Warn("service manager", "problem", err.Error())
	}
}
