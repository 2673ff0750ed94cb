package main

import (
	"io"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// scrape returns what the process says at /metrics, by name and labels.
func scrape(t *testing.T, admin string) map[string]float64 {
	t.Helper()
	resp, err := http.Get("http://" + admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]float64{}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if f, err := strconv.ParseFloat(value, 64); err == nil {
			all[name] = f
		}
	}
	return all
}

// withAdmin is inFront with the admin API at a port of the kernel's choice.
func withAdmin(node string) string {
	return strings.Replace(inFront(node, ""), `listen = ""`, `listen = "127.0.0.1:0"`, 1)
}

// adminOf finds the port in what a process has said.
func adminOf(t *testing.T, p *process) (address string) {
	t.Helper()
	until(t, "stderr has the admin API's address", func() bool {
		_, rest, found := strings.Cut(p.stderr.String(), "msg=admin listen=")
		address, _, _ = strings.Cut(rest, "\n")
		return found
	})
	return address
}

// TestBulkMovesItsMetrics: a client that does not read what it downloads leaves bytes in a pipe, and the metrics say so.
func TestBulkMovesItsMetrics(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("there is no splice but on Linux")
	}
	const sent = 32 << 20
	p := launch(t, "run", "-c", file(t, withAdmin(echo(t))))
	conn, err := net.Dial("tcp", listenerOf(t, p.line(t, "ready "), "s3"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	admin := adminOf(t, p)
	wrote := make(chan error, 1)
	go func() {
		_, err := conn.Write(make([]byte, sent))
		conn.(*net.TCPConn).CloseWrite()
		wrote <- err
	}()
	until(t, "a pipe is busy", func() bool { return scrape(t, admin)[`sluice_pipes{state="busy"}`] > 0 })
	if n, err := io.Copy(io.Discard, conn); n != sent || err != nil {
		t.Fatalf("%d bytes came back, %v, want %d", n, err, sent)
	}
	if err := <-wrote; err != nil {
		t.Fatal(err)
	}
	until(t, "it is free again", func() bool {
		m := scrape(t, admin)
		return m[`sluice_pipes{state="busy"}`] == 0 && m[`sluice_pipes{state="free"}`] > 0
	})
	until(t, "all bytes are counted", func() bool {
		m := scrape(t, admin)
		splice, both := m[`sluice_relay_bytes_total{path="splice"}`], m[`sluice_relay_bytes_total{path="splice"}`]+m[`sluice_relay_bytes_total{path="copy"}`]
		return splice > sent && both == 2*sent
	})
}

// TestReloadMovesItsMetrics: whether the file is in effect as it was last read.
func TestReloadMovesItsMetrics(t *testing.T) {
	config := withAdmin(echo(t))
	path := file(t, config)
	p := launch(t, "run", "-c", path)
	p.line(t, "ready ")
	admin := adminOf(t, p)
	const good, when = "sluice_config_last_reload_successful", "sluice_config_last_reload_success_timestamp_seconds"
	began := scrape(t, admin)
	if began[good] != 1 || began[when] == 0 {
		t.Fatalf("at the start: %v, %v", began[good], began[when])
	}
	rewrite(t, path, config+"\nblance = \"leastconn\"\n")
	p.signal(t, syscall.SIGHUP)
	until(t, "a bad file is told of", func() bool { return scrape(t, admin)[good] == 0 })
	if now := scrape(t, admin)[when]; now != began[when] {
		t.Errorf("a bad file changed the time of the last success from %v to %v", began[when], now)
	}
	rewrite(t, path, config)
	p.signal(t, syscall.SIGHUP)
	until(t, "a good one, too", func() bool { m := scrape(t, admin); return m[good] == 1 && m[when] > began[when] })
}
