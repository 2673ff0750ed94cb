package admin

import (
	"fmt"
	"net/http"
	"net/http/pprof"
	"runtime/trace"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Bounds of what may be asked for under /debug: one answer at a time, a minute long at most, and of the
// flight recorder some seconds within so much memory.
const (
	maxProfile    = time.Minute
	flightMinimum = 5 * time.Second
	flightMemory  = 16 << 20
)

// debugger serves profiles and traces where admin.debug says so.
type debugger struct {
	busy sync.Mutex // held while an answer is made

	mu     sync.Mutex // guards flight
	flight *trace.FlightRecorder
}

func newDebugger() *debugger { return &debugger{} }

// enable starts or stops the flight recorder.
func (d *debugger) enable(on bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if on == (d.flight != nil) {
		return nil
	}
	if !on {
		d.flight.Stop()
		d.flight = nil
		return nil
	}
	f := trace.NewFlightRecorder(trace.FlightRecorderConfig{MinAge: flightMinimum, MaxBytes: flightMemory})
	if err := f.Start(); err != nil {
		return err
	}
	d.flight = f
	return nil
}

// serveDebug is /debug/: pprof's handlers, and /debug/flight for what the flight recorder has.
func (s *Server) serveDebug(w http.ResponseWriter, r *http.Request) {
	switch {
	case !s.current.Load().Debug:
		fail(w, http.StatusNotFound, Error{Error: "there are no debug pages", Hint: "set admin.debug = true"})
		return
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		fail(w, http.StatusMethodNotAllowed, Error{Error: "profiles are read", Hint: "use GET"})
		return
	case !s.debug.busy.TryLock():
		fail(w, http.StatusServiceUnavailable, Error{Error: "another profile is being made", Hint: "wait until it is done"})
		return
	}
	defer s.debug.busy.Unlock()
	if text := r.URL.Query().Get("seconds"); text != "" {
		if n, err := strconv.Atoi(text); err != nil || n < 1 || n > int(maxProfile.Seconds()) {
			fail(w, http.StatusBadRequest, Error{Error: fmt.Sprintf("seconds %.50q is no whole number from 1 to %v", text, maxProfile.Seconds())})
			return
		}
	}
	http.NewResponseController(w).SetWriteDeadline(time.Now().Add(maxProfile + writeWait))
	switch name, _ := strings.CutPrefix(r.URL.Path, "/debug/"); name {
	case "flight":
		s.debug.serveFlight(w)
	case "pprof/cmdline":
		pprof.Cmdline(w, r)
	case "pprof/profile":
		pprof.Profile(w, r)
	case "pprof/symbol":
		pprof.Symbol(w, r)
	case "pprof/trace":
		pprof.Trace(w, r)
	default:
		pprof.Index(w, r)
	}
}

// serveFlight writes the last seconds as a trace for go tool trace.
func (d *debugger) serveFlight(w http.ResponseWriter) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.flight == nil {
		fail(w, http.StatusServiceUnavailable, Error{Error: "the flight recorder could not be started; the log says why"})
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", `attachment; filename="sluice.trace"`)
	d.flight.WriteTo(w)
}
