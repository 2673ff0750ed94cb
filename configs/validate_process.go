package configs

import (
	"fmt"
	"path"
	"strings"
	"time"
)

// The tables of the process: [log], [admin], [limits], [timeouts].

func (f *file) validateLog(t *entry, l *Log) {
	switch {
	case l.Output == "stderr" || l.Output == "journald":
	case !path.IsAbs(l.Output):
		right := `write "stderr", "journald", or the full path of a file`
		if best, ok := closest(l.Output, []string{"stderr", "journald"}); ok {
			right = fmt.Sprintf("did you mean %q?", best)
		}
		f.err(t.at("output"), clipped(l.Output)+" is nowhere to write to", right)
	}
	f.between(t.at("interim"), l.Interim, time.Second, forever, "for no such records")
	if !(l.Sample > 0 && l.Sample <= 1) {
		f.err(t.at("sample"), fmt.Sprintf("%v is out of range", l.Sample), "above 0, up to 1; sessions = false records none")
	}
}

func (f *file) validateAdmin(t *entry, a *Admin) {
	e := t.at("listen")
	socket, isUnix := strings.CutPrefix(a.Listen, "unix:")
	switch {
	case isUnix:
		f.validateSocket(e, a.Listen, socket)
	case a.Listen != "":
		f.validateAdminAddress(e, a)
	}
	if strings.Trim(string(a.Token), tokenBytes) != "" {
		f.err(t.at("token"), "the token has bytes that an HTTP header cannot carry", "write letters, digits and punctuation, such as the output of openssl rand -hex 32")
	} else if a.Token != "" && len(a.Token) < 16 {
		f.warn(t.at("token"), "the token is short enough to be guessed", "write 16 characters or more, such as the output of openssl rand -hex 32")
	}
	for _, name := range []string{"mode", "group"} {
		if t.has(name) && !isUnix && !e.bad {
			f.err(t.at(name), fmt.Sprintf("%q is no socket of the file system, so this has no meaning", a.Listen), `set listen to "unix:/path", or leave it out`)
		}
	}
}

// tokenBytes are those of a bearer token (RFC 6750, section 2.1).
const tokenBytes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~+/="

// validateSocket checks the path of a Unix socket; sun_path has 108 bytes (unix(7)).
func (f *file) validateSocket(e *entry, listen, socket string) {
	if !path.IsAbs(socket) || strings.HasPrefix(socket, "//") || strings.ContainsRune(socket, 0) {
		right := `write a full path, such as "unix:/run/sluice/admin.sock"`
		if trimmed := strings.TrimLeft(socket, "/"); strings.HasPrefix(socket, "//") && trimmed != "" {
			right = fmt.Sprintf("did you mean %q?", "unix:/"+trimmed)
		}
		f.err(e, clipped(listen)+" is no path of a socket", right)
	} else if len(socket) > 107 {
		f.err(e, fmt.Sprintf("the path of the socket has %d bytes", len(socket)), "the system takes 107")
	}
}

func (f *file) validateAdminAddress(e *entry, a *Admin) {
	b, bad := parseBind(a.Listen)
	switch {
	case bad != nil && strings.HasPrefix(a.Listen, "/"):
		f.err(e, clipped(a.Listen)+" has no port", fmt.Sprintf("did you mean %q?", "unix:"+a.Listen))
	case bad != nil:
		f.err(e, bad.what, bad.right)
	case a.Token == "" && !b.addr.IsLoopback() && !e.parent.isBad("token"):
		f.err(e, fmt.Sprintf("whoever reaches %q could drain nodes and end sessions", a.Listen),
			"set admin.token, or listen on 127.0.0.1 or on unix:/path")
	}
}

func (f *file) validateLimits(t *entry, l *Limits) {
	f.within(t.at("sessions"), l.Sessions, 0, many)
	f.within(t.at("sessions_per_client"), l.SessionsPerClient, 0, many)
	f.within(t.at("burst_per_client"), l.BurstPerClient, 0, many)
	f.within(t.at("pending"), l.Pending, 1, many)
	f.within(t.at("loops"), l.Loops, 0, 1024)
	f.within(t.at("pipes"), l.Pipes, 0, many)
	f.share(t.at("rate_per_client"), l.RatePerClient, 100_000)
	if l.BurstPerClient > 0 && l.RatePerClient == 0 {
		f.err(t.at("burst_per_client"), "there is no rate that a burst could go beyond", "set rate_per_client as well, or leave it out")
	}
	if t.has("pending") && l.Sessions > 0 && l.Pending > l.Sessions {
		f.warn(t.at("pending"), fmt.Sprintf("%d sessions can never be pending, since sessions ends them at %d", l.Pending, l.Sessions), "set it below sessions")
	}
}

func (f *file) validateTimeouts(t *entry, o *Timeouts) {
	for _, bound := range []struct {
		key string
		d   time.Duration
	}{
		{"header", o.Header}, {"hello", o.Hello}, {"dial", o.Dial}, {"dial_total", o.DialTotal},
		{"idle", o.Idle}, {"half_close", o.HalfClose}, {"drain", o.Drain},
	} {
		f.between(t.at(bound.key), bound.d, time.Millisecond, forever, "")
	}
	f.between(t.at("first_byte"), o.FirstByte, time.Millisecond, forever, "to wait for as long as it takes")
	// TCP_KEEPIDLE takes 1 to 32767 seconds, TCP_USER_TIMEOUT an int of milliseconds (tcp(7)).
	f.between(t.at("keepalive"), o.Keepalive, time.Second, 9*time.Hour, "for none")
	f.between(t.at("unacked"), o.Unacked, time.Second, 24*24*time.Hour, "for the kernel's choice")

	if o.Dial > o.DialTotal {
		e := t.at("dial")
		if !t.has("dial") {
			e = t.at("dial_total")
		}
		f.err(e, fmt.Sprintf("one attempt (dial, %s) may take longer than all of them (dial_total, %s)", short(o.Dial), short(o.DialTotal)),
			"set dial_total to a multiple of dial")
	}
	if t.has("half_close") && o.HalfClose > o.Idle {
		f.warn(t.at("half_close"), fmt.Sprintf("idle ends a session after %s, half-closed or not", short(o.Idle)), "set it below idle")
	}
	if o.Unacked > 0 && o.Unacked < time.Minute {
		f.warn(t.at("unacked"), fmt.Sprintf("after %s a client that reads slowly is taken for dead", short(o.Unacked)), `set it to "1m" or more`)
	}
}
