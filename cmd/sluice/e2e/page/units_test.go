//go:build e2e && linux

package page

import "testing"

// TestUnits: figures as people read them, and texts from outside.
func TestUnits(t *testing.T) {
	s := newStage(t, "")
	b := newBrowser(t, 800, 600)
	b.open(s)
	for _, tt := range []struct{ call, want string }{
		{"size(0)", "0 B"}, {"size(999)", "999 B"}, {"size(1000)", "1.0 KiB"}, {"size(1536)", "1.5 KiB"}, {"size(10240)", "10 KiB"},
		{"size(1023 * 1024)", "1.0 MiB"}, {"size(5 * 2 ** 40)", "5.0 TiB"}, {"size(2 ** 62)", "4096 PiB"},
		{"rate(undefined)", "–"}, {"rate(2048)", "2.0 KiB/s"},
		{"perSecond(0)", "0/s"}, {"perSecond(0.25)", "0.3/s"}, {"perSecond(12345)", "12,345/s"}, {"perSecond(undefined)", "–"},
		{"count(0)", "0"}, {"count(1234567)", "1,234,567"}, {`counted(1, "session")`, "1 session"}, {`counted(2000, "session")`, "2,000 sessions"},
		{"age(-3)", "0s"}, {"age(59.9)", "59s"}, {"age(61)", "1m 1s"}, {"age(3700)", "1h 1m"}, {"age(90000)", "1d 1h"},
		{"ms(0)", "0 ms"}, {"ms(0.00123)", "1.23 ms"}, {"ms(0.0123)", "12 ms"}, {"ms(1.5)", "1.5 s"},
		{"msPair(0.001, 0.5)", "1.00 / 500 ms"}, {"msPair(0.001, 2)", "1.00 ms / 2.0 s"},
		{`plain("a\u0000b\u202ec\u200dd\n")`, `a\u{0}b\u{202e}c\u{200d}d\u{a}`}, {`plain("<b>ä")`, "<b>ä"},
	} {
		if got := eval[string](b, `import("/page/units.js").then((u) => u.`+tt.call+`)`); got != tt.want {
			t.Errorf("%s = %q, want %q", tt.call, got, tt.want)
		}
	}
	for _, tt := range []struct{ node, want string }{
		{`{health: "up", admin: "ready", address: "x"}`, "up good "},
		{`{health: "up", admin: "ready", address: "x", busy: true, reason: "status 503"}`, "busy warn status 503"},
		{`{health: "down", admin: "ready", address: "x", reason: "refused"}`, "down bad refused"},
		{`{health: "down", admin: "drain", address: "x", sessions: 2, reason: "refused"}`, "draining, down held 2 sessions left"},
		{`{health: "up", admin: "drain", address: "x", sessions: 0}`, "drained held it can be stopped"},
		{`{health: "down", admin: "maint", address: "x", sessions: 2}`, "maintenance held no sessions, no checks"},
		{`{health: "up", admin: "ready", address: "x", ejected: true, ejected_until: 9000, reason: "3 dials failed"}`, "ejected bad back in 8s: 3 dials failed"},
		{`{health: "unknown", admin: "ready", address: "x", reason: "not checked any more"}`, "not checked none not checked any more"},
		{`{health: "unknown", admin: "ready", reason: "no such host"}`, "no address bad no such host"},
	} {
		got := eval[string](b, `import("/page/standing.js").then((s) => { const n = s.standing({since: 0, ...`+tt.node+`}, new Date(1000)); return [n.words, n.tone, n.why].join(" ") })`)
		if got != tt.want {
			t.Errorf("%s stands %q, want %q", tt.node, got, tt.want)
		}
	}
}
