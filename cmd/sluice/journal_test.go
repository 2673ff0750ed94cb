package main

import (
	"io"
	"log/slog"
	"maps"
	"testing"

	"github.com/coreos/go-systemd/v22/journal"

	"github.com/sluicelb/sluice/configs"
	"github.com/sluicelb/sluice/l4"
)

// TestJournal looks at what systemd's journal is sent, short of the journal itself.
func TestJournal(t *testing.T) {
	var got []journalMessage
	out := &journalOutput{send: func(m journalMessage) error { got = append(got, m); return nil }}
	r := testRecords(t, io.Discard, configs.Default().Log)
	r.current.Store(&recordSettings{Log: configs.Default().Log, out: out, handler: r.handlerTo(out, configs.Default().Log)})
	log := slog.New(r)
	log.Warn("node health", "pool", "s3", "node", "10.0.0.1:9000", "old", "up", "new", "down", "bad key", "x")
	log.With("file", "a b").WithGroup("g").Error("reload", "n", 3)
	log.Debug("not this")
	r.queue.close()
	b := ordinaryRecord()
	r.sessions([]l4.Record{b})
	r.open([]l4.Record{b})
	want := []struct {
		text     string
		priority journal.Priority
		fields   map[string]string
	}{
		{`"node health" pool=s3 node=10.0.0.1:9000 old=up new=down "bad key"=x`, journal.PriWarning, map[string]string{
			"SLUICE_POOL": "s3", "SLUICE_NODE": "10.0.0.1:9000", "SLUICE_OLD": "up", "SLUICE_NEW": "down", "SYSLOG_IDENTIFIER": "sluice"}},
		{`reload file="a b" g.n=3`, journal.PriErr, map[string]string{"SLUICE_N": "3", "SYSLOG_IDENTIFIER": "sluice"}},
		{`session id=1234 listener=s3 route=*.s3.example.net pool=s3 node=10.0.0.1:9000 client=192.0.2.7:40123 ` +
			`server_name=data.s3.example.net alpn="[h2 http/1.1]" cause=client phase=relay bytes_in=123456 bytes_out=12345678 ` +
			`t_header=0s t_hello=123µs t_dial=234.567µs t_first_byte=1.234567ms dur=5.000000017s retries=0 path=splice`,
			journal.PriInfo, map[string]string{"SLUICE_LISTENER": "s3", "SLUICE_POOL": "s3", "SLUICE_NODE": "10.0.0.1:9000",
				"SLUICE_CLIENT": "192.0.2.7", "SLUICE_CAUSE": "client", "SLUICE_PHASE": "relay", "SYSLOG_IDENTIFIER": "sluice"}},
	}
	if len(got) != 4 {
		t.Fatalf("got %d entries %+v, want 4", len(got), got)
	}
	for i, w := range want {
		if g := got[i]; g.text != w.text || g.priority != w.priority || !maps.Equal(g.fields, w.fields) {
			t.Errorf("entry %d: got\n%+v want\n%+v", i, g, w)
		}
	}
	if g := got[3].text; g[:15] != `"session open" ` {
		t.Errorf("got %q, want that the session is open", g)
	}
}
