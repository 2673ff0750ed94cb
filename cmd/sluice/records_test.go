package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluicelb/sluice/configs"
	"github.com/sluicelb/sluice/l4"
)

// ordinaryRecord is a record as most are.
func ordinaryRecord() l4.Record {
	return l4.Record{
		ID: 1234, Accepted: time.Date(2026, 11, 22, 9, 30, 1, 234567890, time.UTC), Listener: "s3", Route: "*.s3.example.net",
		Pool: "s3", Node: "10.0.0.1:9000", Client: netip.MustParseAddrPort("192.0.2.7:40123"), ServerName: "data.s3.example.net",
		ALPN: []string{"h2", "http/1.1"}, Cause: l4.CauseClient, Phase: l4.PhaseRelay, BytesIn: 123456, BytesOut: 12345678,
		Hello: 123 * time.Microsecond, Dial: 234567 * time.Nanosecond, FirstByte: 1234567 * time.Nanosecond,
		Duration: 5*time.Second + 17, Path: "splice",
	}
}

// TestSessionLineIsSlogs compares the lines that are written by hand with those of slog, byte by byte.
func TestSessionLineIsSlogs(t *testing.T) {
	names := []string{"", "a", "s3.example.net", "*.x", "a b", `a"b`, "a=b", `a\b`, "ä", "\x00\xff", "a\nb", "<&>", " ", "-", "[h2]", "a,b", "\u2028", "x\x7f"}
	times := []time.Duration{0, 1, 10, 999, 1000, 1500, 999_999_999, time.Second, time.Second + 1, 90 * time.Second, 26*time.Hour + 100, -5, 1<<62 + 12345}
	clients := []string{"192.0.2.7:40123", "[2001:db8::1]:1", "[fe80::1%eth0]:65535", "[::ffff:1.2.3.4]:9"}
	zones := []*time.Location{time.UTC, time.FixedZone("x", 5*3600+1800), time.FixedZone("y", -3*3600)}
	alpn := [][]string{nil, {}, {"h2"}, {"h2", "http/1.1"}, {"a b"}, {"x", ""}, {""}}
	pick := func(from []string) string { return from[rand.IntN(len(from))] }
	span := func() time.Duration {
		if rand.IntN(2) == 0 {
			return times[rand.IntN(len(times))]
		}
		return time.Duration(rand.Int64N(int64(time.Hour)) >> rand.IntN(40))
	}
	for i := range 20_000 {
		b := ordinaryRecord()
		if i > 0 {
			b.ID, b.BytesIn, b.BytesOut = rand.Uint64(), rand.Uint64()>>rand.IntN(64), rand.Uint64()>>rand.IntN(64)
			b.Accepted = time.Unix(rand.Int64N(1<<33), rand.Int64N(1e9)>>rand.IntN(30)).In(zones[rand.IntN(len(zones))])
			b.Header, b.Hello, b.Dial, b.FirstByte, b.Duration = span(), span(), span(), span(), span()%(1<<40)
			b.Cause, b.Phase, b.Retries = l4.Cause(rand.IntN(19)), l4.Phase(rand.IntN(6)), rand.IntN(300)
			b.Client = netip.MustParseAddrPort(pick(clients))
			b.Path = pick([]string{"", "splice", "copy", "tls"})
			if rand.IntN(2) == 0 {
				b.ServerName, b.ALPN, b.Route = pick(names), alpn[rand.IntN(len(alpn))], pick(names)
			}
			if rand.IntN(8) == 0 {
				b.Subject, b.Detail = pick(names), pick(names)
			}
		}
		for _, format := range []configs.LogFormat{configs.LogText, configs.LogJSON} {
			for _, msg := range []string{sessionEnded, sessionOpen} {
				got, want := appendSession(nil, format, msg, &b), appendBySlog(nil, format, msg, &b)
				if !bytes.Equal(got, want) {
					t.Fatalf("%s: got\n%s want\n%s", format, got, want)
				}
			}
		}
	}
}

// The short cut is taken where it counts.
func TestOrdinaryRecordsAreFast(t *testing.T) {
	b := ordinaryRecord()
	text := make([]byte, 0, 4<<10)
	for _, format := range []configs.LogFormat{configs.LogText, configs.LogJSON} {
		if allocs := testing.AllocsPerRun(100, func() { appendSession(text, format, sessionEnded, &b) }); allocs > 1 {
			t.Errorf("%s: %v allocations for an ordinary record, want none", format, allocs)
		}
	}
}

func FuzzSessionLine(f *testing.F) {
	f.Add("s3.example.net", "h2", "default", uint8(1), uint8(4), int64(12345), int64(1e9))
	f.Add("\x00\xff\n\"= ", " ", "", uint8(0), uint8(0), int64(-1), int64(0))
	f.Fuzz(func(t *testing.T, serverName, alpn, route string, cause, phase uint8, dial, dur int64) {
		b := ordinaryRecord()
		b.ServerName, b.ALPN, b.Route = serverName, []string{alpn}, route
		b.Cause, b.Phase = l4.Cause(cause%19), l4.Phase(phase%6)
		b.Dial, b.Duration = time.Duration(dial), time.Duration(dur%(1<<50))
		for _, format := range []configs.LogFormat{configs.LogText, configs.LogJSON} {
			got, want := appendSession(nil, format, sessionEnded, &b), appendBySlog(nil, format, sessionEnded, &b)
			if !bytes.Equal(got, want) || bytes.Count(got, []byte("\n")) != 1 {
				t.Errorf("%s: got\n%s want\n%s", format, got, want)
			}
		}
	})
}

func testRecords(t *testing.T, w io.Writer, cfg configs.Log) *records {
	t.Helper()
	r, err := newRecords(w, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestSample(t *testing.T) {
	var out bytes.Buffer
	cfg := configs.Default().Log
	cfg.Sample = 0.1
	r := testRecords(t, &out, cfg)
	const many = 4000
	batch := make([]l4.Record, 0, many)
	for i := range many {
		b := ordinaryRecord()
		if i%4 == 0 {
			b.Cause = l4.CauseNodeReset
		}
		batch = append(batch, b)
	}
	r.sessions(batch)
	r.tell(new(r.counts(0)), 0) // nothing new
	zero := r.counts(0)
	zero.LeftOut = 0
	r.tell(&zero, 0)
	r.close()
	lines := strings.Count(out.String(), " msg=session ")
	resets := strings.Count(out.String(), " cause=node_reset ")
	if resets != many/4 {
		t.Errorf("got %d records of resets, want all %d", resets, many/4)
	}
	// 3000 clean ones, a tenth of them: 300, and 5 standard deviations of 16 are 82.
	if clean := lines - resets; clean < 300-82 || clean > 300+82 {
		t.Errorf("got %d records of clean sessions, want some 300", clean)
	}
	want := fmt.Sprintf(`msg="sessions left out" count=%d sample=0.1`, many-lines)
	if strings.Count(out.String(), want) != 1 || int(r.counts(0).LeftOut) != many-lines {
		t.Errorf("got %d left out, want once %s in\n%s", r.counts(0).LeftOut, want, out.String()[max(0, out.Len()-300):])
	}
}

func TestSessionsMayBeOff(t *testing.T) {
	var out bytes.Buffer
	for _, change := range []func(*configs.Log){
		func(c *configs.Log) { c.Sessions = false },
		func(c *configs.Log) { c.Level = slog.LevelWarn },
	} {
		cfg := configs.Default().Log
		change(&cfg)
		r := testRecords(t, &out, cfg)
		r.sessions([]l4.Record{ordinaryRecord()})
		r.open([]l4.Record{ordinaryRecord()})
		r.close()
	}
	if out.Len() > 0 {
		t.Errorf("got %q, want nothing", out.String())
	}
}

// TestFileIsReopened moves the file away, as logrotate does, while records are written. None is lost.
func TestFileIsReopened(t *testing.T) {
	dir := t.TempDir()
	cfg := configs.Default().Log
	cfg.Output = filepath.Join(dir, "sluice.log")
	r := testRecords(t, io.Discard, cfg)
	log := slog.New(r)
	over, done := make(chan struct{}), make(chan int)
	go func() {
		n := 0
		for ; ; n++ {
			select {
			case <-over:
				done <- n
				return
			default:
				r.sessions([]l4.Record{ordinaryRecord()})
			}
		}
	}()
	for i := range 20 {
		log.Info("rotate", "i", i)
		if err := os.Rename(cfg.Output, filepath.Join(dir, fmt.Sprintf("old.%d", i))); err != nil {
			t.Fatal(err)
		}
		if err := r.reopen(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
	}
	close(over)
	wrote := <-done
	r.close()
	sessions, rotations := 0, 0
	files, _ := filepath.Glob(filepath.Join(dir, "*"))
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		sessions += strings.Count(string(text), "msg=session ")
		rotations += strings.Count(string(text), "msg=rotate ")
	}
	if len(files) != 21 || sessions != wrote || rotations != 20 || r.lost.Load() != 0 {
		t.Errorf("got %d files with %d sessions and %d rotations, %d lost; want 21, %d, 20, 0", len(files), sessions, rotations, r.lost.Load(), wrote)
	}
	info, err := os.Stat(cfg.Output)
	if err != nil || info.Mode().Perm()&0o007 != 0 {
		t.Errorf("got mode %v, %v: others may read it", info.Mode(), err)
	}
}

// A file that cannot be opened again leaves the old one in use, and the other settings count.
func TestFileThatCannotBeReopened(t *testing.T) {
	dir := t.TempDir()
	cfg := configs.Default().Log
	cfg.Output = filepath.Join(dir, "a", "sluice.log")
	if _, err := newRecords(io.Discard, cfg); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), `log.output "`+cfg.Output) {
		t.Errorf("at the start: got %v, want which key and why", err)
	}
	good := cfg
	good.Output = filepath.Join(dir, "sluice.log")
	r := testRecords(t, io.Discard, good)
	cfg.Format = configs.LogJSON
	if err := r.configure(cfg); err == nil || !strings.Contains(err.Error(), "records go where they went before") {
		t.Errorf("got %v, want that the old file stays", err)
	}
	slog.New(r).Info("after")
	r.sessions([]l4.Record{ordinaryRecord()})
	r.close()
	text, _ := os.ReadFile(good.Output)
	if !strings.Contains(string(text), `"msg":"after"`) || !strings.Contains(string(text), `"msg":"session"`) {
		t.Errorf("got %q in the old file, want both records, as JSON", text)
	}
}

// stuck is a reader that takes nothing until it is let go.
type stuck struct{ free chan struct{} }

func (s *stuck) Write(b []byte) (int, error) {
	<-s.free
	return len(b), nil
}

// TestStuckReader: whoever logs does not wait for it, and what is lost is counted.
func TestStuckReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reader := &stuck{free: make(chan struct{})}
		r := testRecords(t, reader, configs.Default().Log)
		log := slog.New(r)
		began := time.Now()
		for range 3 * maxQueued {
			log.Info("something has changed")
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("logging took %v", took)
		}
		if err := r.configure(configs.Default().Log); err != nil {
			t.Error(err)
		}
		if lost := r.lost.Load(); lost < 3*maxQueued-maxQueued-2 {
			t.Errorf("got %d lost, want %d or so", lost, 2*maxQueued)
		}
		r.close()
		if took := time.Since(began); took != lastWait {
			t.Errorf("the end took %v, want %v", took, lastWait)
		}
		close(reader.free)
		synctest.Wait()
	})
}

func TestFullDisk(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("needs /dev/full")
	}
	cfg := configs.Default().Log
	cfg.Output = "/dev/full"
	r := testRecords(t, io.Discard, cfg)
	r.sessions([]l4.Record{ordinaryRecord(), ordinaryRecord()})
	slog.New(r).Info("one more")
	r.close()
	if lost := r.counts(5).Dropped; lost != 8 {
		t.Errorf("got %d lost, want 3 and 5 that never came here", lost)
	}
}

// TestLogRotation is what logrotate does to a process: move the file, SIGHUP. A bad configuration does not
// keep it from going on in a new file.
func TestLogRotation(t *testing.T) {
	dir := t.TempDir()
	log := filepath.Join(dir, "sluice.log")
	config := inFront(echo(t), fmt.Sprintf("[log]\noutput = %q\n", log))
	path := file(t, config)
	p := launch(t, "run", "-c", path)
	address := listenerOf(t, p.line(t, "ready "), "s3")
	has := func(name, text string) func() bool {
		return func() bool {
			b, _ := os.ReadFile(filepath.Join(dir, name))
			return strings.Contains(string(b), text)
		}
	}
	converse(t, address).Close()
	until(t, "the first record", has("sluice.log", "msg=session "))
	os.Rename(log, log+".1")
	p.signal(t, syscall.SIGHUP)
	until(t, "the reload is in the new file", has("sluice.log", `result="in effect"`))
	converse(t, address).Close()
	until(t, "the second record", has("sluice.log", "msg=session "))

	rewrite(t, path, config+"\nnonsense = 1\n")
	os.Rename(log, log+".2")
	p.signal(t, syscall.SIGHUP)
	until(t, "the third file", func() bool { _, err := os.Stat(log); return err == nil })
	converse(t, address).Close()
	until(t, "the third record", has("sluice.log", "msg=session "))
	p.signal(t, syscall.SIGTERM)
	p.ends(t, exitOK)
	if p.stderr.String() != "" {
		t.Errorf("got stderr %q, want all of it in the file", &p.stderr)
	}
	if !has("sluice.log", "msg=drain ")() {
		t.Error("the end is not in the file")
	}
}

// TestInterimRecords: a session that lives leaves a line now and then.
func TestInterimRecords(t *testing.T) {
	p := launch(t, "run", "-c", file(t, inFront(echo(t), "[log]\ninterim = \"1s\"\n")))
	c := converse(t, listenerOf(t, p.line(t, "ready "), "s3"))
	p.says(t, `msg="session open" id=1 listener=s3`)
	until(t, "a second line", func() bool { return strings.Count(p.stderr.String(), `msg="session open" id=1 `) >= 2 })
	if line := p.stderr.String(); !strings.Contains(line, " cause=none phase=relay bytes_in=5 bytes_out=5 ") {
		t.Errorf("got %s", line)
	}
	c.Close()
	p.says(t, "msg=session id=1 ")
	p.signal(t, syscall.SIGTERM)
	p.ends(t, exitOK)
}

// TestLogToNowhere: the start fails, and says why.
func TestLogToNowhere(t *testing.T) {
	for output, want := range map[string]string{
		filepath.Join(t.TempDir(), "no", "file"): "no such file or directory",
		"journald":                               "there is no journal here",
	} {
		if _, err := net.Dial("unixgram", "/run/systemd/journal/socket"); output == "journald" && err == nil {
			continue // there is one
		}
		p := launch(t, "run", "-c", file(t, inFront("127.0.0.1:9", fmt.Sprintf("[log]\noutput = %q\n", output))))
		p.ends(t, exitFailed)
		if got := p.stderr.String(); !strings.Contains(got, "log.output") || !strings.Contains(got, want) {
			t.Errorf("%s: got %q, want log.output and %q", output, got, want)
		}
	}
}
