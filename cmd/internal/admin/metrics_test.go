package admin

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sluicelb/sluice/cmd/internal/need"
	"github.com/sluicelb/sluice/configs"
	"github.com/sluicelb/sluice/l4"
)

// series reads the metrics: the value of each series, by its name and labels as they are written.
func (f *fixture) series() map[string]float64 {
	f.t.Helper()
	status, body := f.do("GET", "/metrics")
	if status != 200 {
		f.t.Fatalf("got %d %s", status, body)
	}
	all := map[string]float64{}
	for lines := bufio.NewScanner(strings.NewReader(body)); lines.Scan(); {
		line := lines.Text()
		if strings.HasPrefix(line, "#") {
			continue
		}
		at := strings.LastIndexByte(line, ' ')
		v, err := strconv.ParseFloat(line[at+1:], 64)
		if err != nil {
			f.t.Fatalf("%q: %v", line, err)
		}
		all[line[:at]] = v
	}
	return all
}

// hello opens a connection and asks for a server by name. It returns when the answer is there, whatever it
// is.
func (f *fixture) hello(name string) {
	f.t.Helper()
	conn, err := net.Dial("tcp", f.address("tls"))
	if err != nil {
		f.t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	tls.Client(conn, &tls.Config{ServerName: name, InsecureSkipVerify: true}).Handshake()
	conn.Close()
}

// TestMetrics has something happen for every metric that DESIGN names, and watches each of them move.
func TestMetrics(t *testing.T) {
	node := listen(t, echo)
	f := newFixture(t, []string{node, "127.0.0.1:1"}, func(cfg *configs.Config) {
		cfg.Pools[0].Check = configs.DefaultPool().Check
		cfg.Pools[0].Check.Type, cfg.Pools[0].Check.Interval = configs.CheckTCP, 20*time.Millisecond
	})
	f.certs = []l4.Certificate{
		{Listener: "tls", File: "edge.pem", NotAfter: time.Unix(2_000_000_000, 0)},
		{Listener: "tls", File: "edge.pem", NotAfter: time.Unix(1_900_000_000, 0)},
	}
	label := fmt.Sprintf(`{node=%q,pool="s3"}`, node)
	before := f.series()
	want := map[string]float64{
		`sluice_sessions{listener="s3"}`: 0,
		`sluice_sessions_total{cause="client",listener="s3",phase="relay",pool="s3",route="default"}`: 0,
		`sluice_bytes_total{direction="in",listener="s3",pool="s3"}`:                                  0,
		`sluice_relay_bytes_total{path="splice"}`:                                                     0,
		`sluice_relay_bytes_total{path="tls"}`:                                                        0,
		`sluice_config_last_reload_successful`:                                                        1,
		`sluice_records_dropped_total`:                                                                3,
		`sluice_records_left_out_total`:                                                               4,
		`sluice_draining`:                                                                             0,
		`sluice_certificate_expiry_seconds{certificate="edge.pem",listener="tls"}`:                    1_900_000_000,
		`sluice_build_info{commit="abc",goversion="go1.26",version="v1.2.3"}`:                         1,
	}
	for name, v := range want {
		if got, ok := before[name]; !ok || got != v {
			t.Errorf("before: %s is %v (%t), want %v", name, got, ok, v)
		}
	}

	open := f.session("s3")
	f.session("s3").Close()
	f.hello("s3.test")
	f.hello("other.test")
	until(t, "it is counted", func() bool {
		s := f.series()
		return s[`sluice_sessions_total{cause="client",listener="s3",phase="relay",pool="s3",route="default"}`] == 1 &&
			s[`sluice_rejected_total{listener="tls",reason="no_route"}`] == 1 && s[`sluice_node_up{node="127.0.0.1:1",pool="s3"}`] == 0 &&
			s[`sluice_sessions{listener="tls"}`] == 0
	})
	after := f.series()
	for name, v := range map[string]float64{
		`sluice_sessions{listener="s3"}`:                                                        1,
		`sluice_bytes_total{direction="in",listener="s3",pool="s3"}`:                            10,
		`sluice_bytes_total{direction="out",listener="s3",pool="s3"}`:                           10,
		`sluice_node_up` + label:                                                                1,
		`sluice_node_available` + label:                                                         1,
		`sluice_node_available{node="127.0.0.1:1",pool="s3"}`:                                   0,
		`sluice_node_sessions` + label:                                                          1,
		`sluice_node_admin` + label[:len(label)-1] + `,state="ready"}`:                          1,
		`sluice_node_admin` + label[:len(label)-1] + `,state="drain"}`:                          0,
		`sluice_dials_total` + label[:len(label)-1] + `,result="ok"}`:                           3,
		`sluice_dial_seconds_count`:                                                             3,
		`sluice_dial_seconds_bucket{le="+Inf"}`:                                                 3,
		`sluice_hello_bytes_count`:                                                              2,
		`sluice_sessions_total{cause="no_route",listener="tls",phase="hello",pool="",route=""}`: 1,
	} {
		if got, ok := after[name]; !ok || got != v {
			t.Errorf("after: %s is %v (%t), want %v", name, got, ok, v)
		}
	}
	for _, name := range []string{
		`sluice_check_seconds` + label, `sluice_hello_bytes_sum`,
		`sluice_relay_bytes_total{path="copy"}`, `sluice_config_last_reload_success_timestamp_seconds`,
		`sluice_pipes_limit`, `sluice_sessions_capacity`, `process_open_fds`, `go_goroutines`,
		`sluice_checks_total` + label[:len(label)-1] + `,verdict="pass"}`,
	} {
		if after[name] <= 0 {
			t.Errorf("after: %s is %v, want above 0", name, after[name])
		}
	}
	for _, name := range []string{`sluice_pipes{state="free"}`, `sluice_pipes{state="busy"}`, `sluice_sessions_pending`, `sluice_pipes_short`,
		`sluice_dial_seconds_sum`} { // a loop's clock stands still for a turn, and a dial on loopback takes no longer
		if _, ok := after[name]; !ok {
			t.Errorf("after: there is no %s", name)
		}
	}
	open.Close()
}

// TestPromtool has Prometheus look at the metrics.
func TestPromtool(t *testing.T) {
	promtool := need.Program(t, "promtool")
	node := listen(t, echo)
	f := newFixture(t, []string{node}, nil)
	f.certs = []l4.Certificate{{Listener: "tls", File: "edge.pem", NotAfter: time.Unix(2_000_000_000, 0)}}
	f.session("s3").Close()
	f.hello("other.test")
	_, body := f.do("GET", "/metrics")
	cmd := exec.CommandContext(t.Context(), promtool, "check", "metrics")
	cmd.Stdin = strings.NewReader(body)
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
}

// TestSeriesAreBounded sends hellos with names that nobody has ever seen: not one series more than after
// the first of them.
func TestSeriesAreBounded(t *testing.T) {
	f := newFixture(t, []string{listen(t, echo)}, nil)
	names := func() []string {
		var all []string
		for name := range f.series() {
			if strings.HasPrefix(name, "sluice_") {
				all = append(all, name)
			}
		}
		slices.Sort(all)
		return all
	}
	f.hello("first.random.test")
	f.hello("s3.test")
	f.session("s3").Close()
	until(t, "the sessions have ended", func() bool { return f.proc.L4.Sessions() == 0 })
	before := names()
	for i := range 500 {
		f.hello(fmt.Sprintf("n%d-%x.random.test", i, i*7919))
	}
	until(t, "they are counted", func() bool { return f.series()[`sluice_rejected_total{listener="tls",reason="no_route"}`] == 501 })
	if after := names(); !slices.Equal(before, after) {
		t.Errorf("there are %d series, want the %d of before; new: %q", len(after), len(before),
			slices.DeleteFunc(after, func(n string) bool { return slices.Contains(before, n) }))
	}
}

// TestRetiredNodes takes a node with a session out of the configuration: the session is still counted, and
// nothing else of the node.
func TestRetiredNodes(t *testing.T) {
	node := listen(t, echo)
	f := newFixture(t, []string{node}, nil)
	f.session("s3")
	cfg := config([]string{"127.0.0.1:1"})
	cfg.Listeners[0].Address, cfg.Listeners[1].Address = f.cfg.Listeners[0].Address, f.cfg.Listeners[1].Address
	if err := f.proc.L4.Apply(cfg); err != nil {
		t.Fatal(err)
	}
	s := f.series()
	if got, ok := s[fmt.Sprintf(`sluice_node_sessions{node=%q,pool="s3"}`, node)]; !ok || got != 1 {
		t.Errorf("got %v (%t) sessions on the retired node, want 1", got, ok)
	}
	if _, ok := s[fmt.Sprintf(`sluice_node_up{node=%q,pool="s3"}`, node)]; ok {
		t.Error("a retired node is up or down")
	}
	st := decoded[Status](t, second(f.do("GET", "/api/v1/status")))
	if len(st.Retired) != 1 || st.Retired[0].Name != node || st.Retired[0].Sessions != 1 {
		t.Errorf("got retired %+v, want the node and its session", st.Retired)
	}
}

// TestHandshakes ends TLS here twice, the second time with the ticket of the first.
func TestHandshakes(t *testing.T) {
	web := httptest.NewTLSServer(nil) // for its certificate
	web.Close()
	leaf := web.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(leaf.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	files := configs.Certificate{Cert: filepath.Join(t.TempDir(), "edge.pem"), Key: filepath.Join(t.TempDir(), "edge.key")}
	for name, block := range map[string]*pem.Block{files.Cert: {Type: "CERTIFICATE", Bytes: leaf.Certificate[0]}, files.Key: {Type: "PRIVATE KEY", Bytes: key}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f := newFixture(t, []string{listen(t, echo)}, func(cfg *configs.Config) {
		edge := configs.DefaultListener()
		edge.Name, edge.Address, edge.TLS, edge.Pool = "edge", []string{"127.0.0.1:0"}, configs.Terminate, "s3"
		edge.Certificates = []*configs.Certificate{&files}
		cfg.Listeners = append(cfg.Listeners, edge)
	})
	ours := &tls.Config{ServerName: "example.com", InsecureSkipVerify: true, ClientSessionCache: tls.NewLRUClientSessionCache(1)}
	for range 2 {
		c, err := tls.Dial("tcp", f.address("edge"), ours)
		if err != nil {
			t.Fatal(err)
		}
		c.SetDeadline(time.Now().Add(20 * time.Second))
		c.Write([]byte("hello"))
		if _, err := c.Read(make([]byte, 5)); err != nil { // the ticket comes before it
			t.Fatal(err)
		}
		c.Close()
	}
	until(t, "all bytes are counted", func() bool { return f.series()[`sluice_relay_bytes_total{path="tls"}`] == 20 })
	got := f.series()
	for name, want := range map[string]float64{
		`sluice_tls_handshakes_total{listener="edge"}`: 2, `sluice_tls_resumptions_total{listener="edge"}`: 1,
		`sluice_tls_handshakes_total{listener="s3"}`: 0,
	} {
		if v, ok := got[name]; !ok || v != want {
			t.Errorf("%s is %v (%t), want %v", name, v, ok, want)
		}
	}
}
