package l4

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/sluicelb/sluice/configs"
	"github.com/sluicelb/sluice/sni"
)

// routed is a configuration with one passthrough listener: the given names to the pool "named", all else
// to the pool "other", or to nobody if that has no nodes.
func routed(relay configs.Relay, names []string, named, other string) *configs.Config {
	cfg := configs.Default()
	ln := configs.DefaultListener()
	ln.Name, ln.Address, ln.Relay, ln.TLS = "tls", []string{"127.0.0.1:0"}, relay, configs.Passthrough
	ln.Routes = []*configs.Route{{SNI: names, Pool: "named"}}
	cfg.Listeners = []*configs.Listener{ln}
	cfg.Pools = []*configs.Pool{testPool("named", named)}
	if other != "" {
		ln.Pool = "other"
		cfg.Pools = append(cfg.Pools, testPool("other", other))
	}
	return cfg
}

// teller is a node that says its name, then returns everything.
func teller(t *testing.T, name string) string {
	return startNode(t, func(c *net.TCPConn) {
		io.WriteString(c, name+"\n")
		echo(c)
	})
}

type sample struct {
	File  string
	Valid bool
	SNI   *string
	bytes []byte
}

func samples(t *testing.T) []sample {
	t.Helper()
	dir := filepath.Join("..", "sni", "testdata", "clienthello")
	index, err := os.ReadFile(filepath.Join(dir, "index.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all []sample
	if err := json.Unmarshal(index, &all); err != nil {
		t.Fatal(err)
	}
	for i := range all {
		if all[i].bytes, err = os.ReadFile(filepath.Join(dir, all[i].File)); err != nil {
			t.Fatal(err)
		}
	}
	if len(all) != 21 {
		t.Fatalf("got %d samples, want 21", len(all))
	}
	return all
}

// ask sends the parts one by one and returns what comes back until the end.
func ask(t *testing.T, addr string, gap time.Duration, parts ...[]byte) ([]byte, error) {
	t.Helper()
	c := dial(t, addr)
	defer c.Close()
	for i, part := range parts {
		if i > 0 {
			time.Sleep(gap)
		}
		c.Write(part)
	}
	c.CloseWrite()
	return io.ReadAll(c)
}

// Every sample, whole and cut in two at every byte, goes where its index says, and arrives unchanged.
func TestSamplesRouted(t *testing.T) {
	names := []string{"sni.lab.test", "*.shop.test"}
	engines(t, func(t *testing.T, relay configs.Relay) {
		srv := serve(t, routed(relay, names, teller(t, "named"), teller(t, "other")))
		addr := srv.addr("tls")
		type job struct {
			s  *sample
			at int
		}
		jobs := make(chan job)
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				for j := range jobs {
					want := []byte(nil)
					if j.s.Valid && j.s.SNI != nil {
						want = append([]byte("named\n"), j.s.bytes...)
					} else if j.s.Valid {
						want = append([]byte("other\n"), j.s.bytes...)
					}
					got, err := ask(t, addr, 300*time.Microsecond, j.s.bytes[:j.at], j.s.bytes[j.at:])
					if want == nil && errors.Is(err, syscall.ECONNRESET) {
						err = nil
					}
					if err != nil || !bytes.Equal(got, want) {
						t.Errorf("%s cut at %d: got %.20q, %v, want %.20q", j.s.File, j.at, got, err, want)
					}
				}
			})
		}
		sent := 0
		step := 1
		if testing.Short() {
			step = 97
		}
		for _, s := range samples(t) {
			for at := 0; at < len(s.bytes); at += step {
				jobs <- job{&s, at}
				sent++
			}
		}
		close(jobs)
		wg.Wait()
		t.Logf("%d sessions", sent)
	})
}

// What must not reach a node does not, and its client is told what DESIGN 3a says.
func TestRefusedHellos(t *testing.T) {
	hello := func(file string) []byte {
		for _, s := range samples(t) {
			if s.File == file {
				return s.bytes
			}
		}
		t.Fatal("no sample ", file)
		return nil
	}
	chromium := hello("chromium156_default.bin")
	twice := bytes.Clone(chromium)
	twice[1] = 9 // record version 9.1
	tests := []struct {
		name  string
		sent  []byte
		alert string
		cause Cause
	}{
		{"unknown name", chromium, sni.AlertUnrecognizedName, CauseNoRoute},
		{"no name", hello("python311_nosni.bin"), sni.AlertUnrecognizedName, CauseNoRoute},
		{"plain HTTP", hello("curl_plainhttp.bin"), "", CauseNotTLS},
		{"ssh", hello("openssh.bin"), "", CauseNotTLS},
		{"SSLv2", hello("sslscan_probe.bin"), "", CauseNotTLS},
		{"record too long", append([]byte{22, 3, 1, 0xff, 0xff}, chromium...), sni.AlertDecodeError, CauseBadHello},
		{"message too long", []byte{22, 3, 1, 0, 4, 1, 0xff, 0, 0}, sni.AlertDecodeError, CauseBadHello},
		{"empty record", []byte{22, 3, 1, 0, 0}, sni.AlertDecodeError, CauseBadHello},
	}
	engines(t, func(t *testing.T, relay configs.Relay) {
		var reached atomic.Int64
		node := startNode(t, func(c *net.TCPConn) { reached.Add(1) })
		srv := serve(t, routed(relay, []string{"nobody.asks.test"}, node, ""))
		for i, tt := range tests {
			got, err := ask(t, srv.addr("tls"), 0, tt.sent)
			if err != nil && (tt.alert != "" || !errors.Is(err, syscall.ECONNRESET)) {
				t.Errorf("%s: %v", tt.name, err)
			}
			if string(got) != tt.alert {
				t.Errorf("%s: got %q, want %q", tt.name, got, tt.alert)
			}
			r := srv.wait(i + 1)[i]
			if r.Cause != tt.cause || r.Phase != PhaseHello {
				t.Errorf("%s: got %v in %v, want %v in hello", tt.name, r.Cause, r.Phase, tt.cause)
			}
		}
		if n := reached.Load(); n != 0 {
			t.Errorf("%d sessions reached the node", n)
		}
	})
}

// How long a hello took is told also where it led nowhere.
func TestRefusedHelloTime(t *testing.T) {
	engines(t, func(t *testing.T, relay configs.Relay) {
		srv := serve(t, routed(relay, []string{"nobody.asks.test"}, deadAddr(t), ""))
		hello := samples(t)[6].bytes
		const gap = 30 * time.Millisecond
		ask(t, srv.addr("tls"), gap, hello[:100], hello[100:])
		if r := srv.wait(1)[0]; r.Cause != CauseNoRoute || r.Hello < gap-10*time.Millisecond || r.Hello > r.Duration {
			t.Errorf("got %v, hello in %v of %v, want no_route and about %v", r.Cause, r.Hello, r.Duration, gap)
		}
	})
}

func TestHelloTimeout(t *testing.T) {
	engines(t, func(t *testing.T, relay configs.Relay) {
		cfg := routed(relay, []string{"*.shop.test"}, deadAddr(t), "")
		cfg.Timeouts.Hello = 300 * time.Millisecond
		srv := serve(t, cfg)
		c := dial(t, srv.addr("tls"))
		began := time.Now()
		for i := range 30 { // dribbling does not buy time
			if _, err := c.Write(samples(t)[6].bytes[i : i+1]); err != nil {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, io.EOF) {
			t.Errorf("got %v, want the end", err)
		}
		r := srv.wait(1)[0]
		if r.Cause != CauseTimeout || r.Phase != PhaseHello || r.Duration < 290*time.Millisecond || r.Duration > time.Second {
			t.Errorf("got %v in %v after %v, want timeout in hello after 300ms", r.Cause, r.Phase, r.Duration)
		}
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("took %v", took)
		}
		if n := srv.Listeners()[0].Refused(RefusedHelloTimeout); n != 1 {
			t.Errorf("counted %d refused, want 1", n)
		}
	})
}

// A node that takes the connection and stays silent: another gets the same hello, and answers.
func TestSilentNodeGetsRival(t *testing.T) {
	engines(t, func(t *testing.T, relay configs.Relay) {
		heard := make(chan []byte, 8)
		silent := startNode(t, func(c *net.TCPConn) {
			b, _ := io.ReadAll(c)
			heard <- b
		})
		cfg := routed(relay, []string{"*.shop.test"}, silent, "")
		pool := cfg.Pools[0]
		pool.Nodes = []string{silent, teller(t, "lively")}
		pool.Balance = configs.RoundRobin
		cfg.Timeouts.FirstByte = 200 * time.Millisecond
		srv := serve(t, cfg)
		hello := samples(t)[6].bytes
		for range 4 { // two of them begin at the silent node
			c := dial(t, srv.addr("tls"))
			c.Write(hello)
			got := make([]byte, len("lively\n")+len(hello))
			if _, err := io.ReadFull(c, got); err != nil || string(got[:7]) != "lively\n" || !bytes.Equal(got[7:], hello) {
				t.Fatalf("got %.20q, %v", got, err)
			}
			c.Write([]byte("more"))
			if _, err := io.ReadFull(c, got[:4]); err != nil || string(got[:4]) != "more" {
				t.Fatalf("got %q, %v", got[:4], err)
			}
			c.Close()
		}
		if b := <-heard; !bytes.Equal(b, hello) {
			t.Errorf("the silent node got %d bytes, want the hello's %d", len(b), len(hello))
		}
		waited := 0
		for _, r := range srv.wait(4) {
			if r.Cause != CauseClient || r.Node != pool.Nodes[1] || r.BytesIn != uint64(len(hello)+4) {
				t.Errorf("got %v at %s with %d bytes in", r.Cause, r.Node, r.BytesIn)
			}
			if r.Dial >= cfg.Timeouts.FirstByte {
				t.Errorf("the record has %v for the dial and %v for the first byte", r.Dial, r.FirstByte)
			}
			if r.FirstByte >= cfg.Timeouts.FirstByte {
				waited++
			}
		}
		if waited < 2 {
			t.Errorf("%d records have the wait for the silent node, want two or more", waited)
		}
	})
}

// A node that ends the connection before it has answered is replaced, without a word to the client.
func TestNodeGoneBeforeAnswer(t *testing.T) {
	engines(t, func(t *testing.T, relay configs.Relay) {
		gone := startNode(t, func(c *net.TCPConn) { c.SetLinger(0) })
		cfg := routed(relay, []string{"*.shop.test"}, gone, "")
		cfg.Pools[0].Nodes = []string{gone, teller(t, "lively")}
		cfg.Pools[0].Balance = configs.RoundRobin
		srv := serve(t, cfg)
		hello := samples(t)[6].bytes
		for range 4 {
			got, err := ask(t, srv.addr("tls"), 0, hello)
			if err != nil || !bytes.HasPrefix(got, []byte("lively\n")) {
				t.Fatalf("got %.20q, %v", got, err)
			}
		}
	})
}

// A silent node that is alone keeps its chance: the session is not cut before the idle limit.
func TestSilentNodeAlone(t *testing.T) {
	engines(t, func(t *testing.T, relay configs.Relay) {
		slow := startNode(t, func(c *net.TCPConn) {
			time.Sleep(700 * time.Millisecond)
			echo(c)
		})
		cfg := routed(relay, []string{"*.shop.test"}, slow, "")
		cfg.Timeouts.FirstByte = 100 * time.Millisecond
		srv := serve(t, cfg)
		hello := samples(t)[6].bytes
		if got, err := ask(t, srv.addr("tls"), 0, hello); err != nil || !bytes.Equal(got, hello) {
			t.Fatalf("got %d bytes, %v", len(got), err)
		}
	})
}
