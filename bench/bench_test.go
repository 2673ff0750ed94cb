//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestMain lets the test binary stand in for the bench binary, which runs itself as node, load and iocopy.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && strings.HasPrefix(os.Args[1], "_") {
		os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

func TestHistKeepsItsPrecision(t *testing.T) {
	for _, d := range []time.Duration{0, 1, 127, 128, 129, 255, 256, 1000, 12345, time.Millisecond, time.Second, 3 * time.Minute} {
		got := upper(bucket(d))
		if got < d || float64(got-d) > 0.008*float64(d) {
			t.Errorf("%d ns is read back as %d ns", d, got)
		}
	}
	for i := range histBuckets - 1 {
		if got := bucket(upper(i)); got != i {
			t.Fatalf("the upper end of bucket %d falls into bucket %d", i, got)
		}
		if got := bucket(upper(i) + 1); got != i+1 {
			t.Fatalf("what follows bucket %d falls into bucket %d", i, got)
		}
	}
}

func TestHistQuantiles(t *testing.T) {
	var h hist
	for i := range 1000 {
		h.record(time.Duration(i+1) * time.Microsecond)
	}
	for q, want := range map[float64]time.Duration{0.5: 500 * time.Microsecond, 0.99: 990 * time.Microsecond, 1: time.Millisecond} {
		if got := h.quantile(q); got < want || float64(got) > 1.01*float64(want) {
			t.Errorf("quantile %v of 1 to 1000 us is %v, want %v", q, got, want)
		}
	}
	var none hist
	if got := none.quantile(0.99); got != 0 {
		t.Errorf("quantile of nothing is %v", got)
	}
}

func TestHistSurvivesJSON(t *testing.T) {
	var h, back hist
	for _, d := range []time.Duration{5, 5, time.Second, time.Hour} {
		h.record(d)
	}
	b, err := json.Marshal(&h)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	if back != h {
		t.Errorf("%s reads back differently", b)
	}
}

func TestSpread(t *testing.T) {
	if got, want := spreadOf([]float64{5, 1, 3}), (spread{3, 1, 5}); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
	if got, want := spreadOf([]float64{4, 2}), (spread{3, 2, 4}); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := spreadOf(nil); !math.IsNaN(got.Median) {
		t.Errorf("the median of nothing is %v", got.Median)
	}
	got := ratios([]float64{1, 2, 3}, []float64{2, 0, 6})
	if len(got) != 2 || got[0] != 0.5 || got[1] != 0.5 {
		t.Errorf("ratios are %v, want two of 0.5: the round without a divisor says nothing", got)
	}
}

func TestHeaderSurvivesTheWire(t *testing.T) {
	want := header{op: opDown, nodeFirst: true, request: 1500, response: 77, bulk: 1 << 40, id: 42}
	b := make([]byte, minRequest)
	want.put(b)
	got, err := parseRequest(b)
	if err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	hello, err := clientHello(siteName)
	if err != nil {
		t.Fatal(err)
	}
	want.request = uint32(len(hello))
	want.put(hello[helloAt:])
	if got, err = parseRequest(hello); err != nil || got != want {
		t.Errorf("in a hello: got %+v, %v, want %+v", got, err, want)
	}
	if !bytes.Contains(hello, []byte(siteName)) || len(hello) < 1400 {
		t.Errorf("a hello of %d bytes, want one of about 1.5 KB that names %s", len(hello), siteName)
	}
}

// analysed builds findings from the cost of each peer in each round.
func analysed(s scenario, costs map[string][]float64) findings {
	var samples []sample
	for p, rounds := range costs {
		for i, c := range rounds {
			samples = append(samples, sample{Peer: p, Round: i, Figures: map[string]float64{s.figures[0].key: c}})
		}
	}
	return find(s, names(peers("sluice")), "sluice", samples)
}

func TestVerdictsTakeTheBetterVariantAndTheDirectCostOff(t *testing.T) {
	f := analysed(scenarios()[0], map[string][]float64{
		"direct":    {100, 110, 100},
		"sluice":    {180, 190, 180}, // 80 added
		"haproxy-1": {200, 210, 200}, // 100
		"haproxy-2": {250, 260, 250},
		"nginx-1":   {170, 180, 170}, // 70
	})
	v := f.verdicts()
	if v[0].against != "haproxy-1" || math.Abs(v[0].ratio.Median-0.8) > 1e-9 || !v[0].met {
		t.Errorf("against haproxy: %+v, want 0.8 of haproxy-1, met", v[0])
	}
	if v[1].against != "nginx-1" || v[1].met {
		t.Errorf("against nginx: %+v, want not met against nginx-1", v[1])
	}
	if got := f.best("best", f.scenario.figures[0]); got != "nginx-1" {
		t.Errorf("the best of all is %s, want nginx-1", got)
	}
	var out strings.Builder
	f.table().write(&out)
	if !strings.Contains(out.String(), "100 (100 to 110) *") {
		t.Errorf("direct is shown without what it costs itself:\n%s", &out)
	}
}

func TestAPeerNotMeasuredHasNoVerdict(t *testing.T) {
	f := analysed(scenarios()[0], map[string][]float64{"direct": {1}, "sluice": {2}})
	for _, v := range f.verdicts() {
		if v.known || v.met {
			t.Errorf("%+v is known, though nothing was compared", v)
		}
	}
}

func TestConfigsAreTakenByTheirPeers(t *testing.T) {
	for _, p := range []struct {
		binary string
		config func(s site) string
		args   func(path string) []string
	}{
		{"haproxy", func(s site) string { return haproxyConfig(s, 2, true) }, func(path string) []string { return []string{"-c", "-f", path} }},
		{"nginx", func(s site) string { return nginxConfig(s, 2, true) }, func(path string) []string { return []string{"-t", "-e", "stderr", "-c", path} }},
	} {
		t.Run(p.binary, func(t *testing.T) {
			if _, err := exec.LookPath(p.binary); err != nil {
				t.Skipf("needs %s: %v", p.binary, err)
			}
			for _, m := range []mode{plain, passByer} {
				s := site{mode: m, port: peerPort, nodes: []string{"127.0.1.1:7001"}, name: siteName, checks: true, bulk: true, dir: t.TempDir()}
				path, err := s.writeConfig("config", p.config(s))
				if err != nil {
					t.Fatal(err)
				}
				if out, err := exec.Command(p.binary, p.args(path)...).CombinedOutput(); err != nil {
					t.Errorf("mode %s: %v\n%s", m, err, out)
				}
			}
		})
	}
}

func TestSluiceConfigSaysOnlyWhatItMust(t *testing.T) {
	s := site{mode: passByer, port: 7000, nodes: []string{"127.0.1.1:7001", "127.0.1.2:7001"}, name: siteName, checks: true}
	want := `[log]
level = "warn"
sessions = false

[[listener]]
name = "bench"
address = ["0.0.0.0:7000"]
tls = "passthrough"
[[listener.route]]
sni = ["s3.example.net"]
pool = "nodes"

[[pool]]
name = "nodes"
nodes = ["127.0.1.1:7001", "127.0.1.2:7001"]
`
	if got := sluiceConfig(s, "auto"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestWatched holds that the two kinds of Sluice differ in what is measured, and that the one that is blind is nowhere else.
func TestWatched(t *testing.T) {
	s := site{mode: plain, port: 7000, nodes: []string{"127.0.1.1:7001"}, dir: "/d"}
	s.watch = true
	if got := sluiceConfig(s, "auto"); !strings.HasPrefix(got, "[log]\noutput = \"/d/sluice.log\"\n[admin]\nlisten = \"unix:/d/admin.sock\"\n") {
		t.Errorf("watched:\n%s", got)
	}
	s.watch, s.blind = false, true
	if got := sluiceConfig(s, "auto"); !strings.Contains(got, "sessions = false\n") || !strings.Contains(got, "[admin]\nlisten = \"\"\n") {
		t.Errorf("blind:\n%s", got)
	}
	for _, s := range scenarios() {
		var who []string
		for _, p := range peers("sluice") {
			if s.includes(p) {
				who = append(who, p.name)
			}
		}
		switch {
		case s.watch && !slices.Equal(who, []string{"direct", "sluice", "sluice-blind"}):
			t.Errorf("%s is done by %q", s.name, who)
		case !s.watch && slices.Contains(who, "sluice-blind"):
			t.Errorf("%s is done by sluice-blind", s.name)
		}
	}
	if err := scrape(t.Context(), t.TempDir()+"/none.sock"); err == nil {
		t.Error("metrics that cannot be read are no error")
	}
}

func TestOptions(t *testing.T) {
	for _, tt := range []struct {
		args      string
		scenarios int
		peers     string
		err       string
	}{
		{"-scenario short -peers direct,haproxy", 1, "direct haproxy-1 haproxy-2 haproxy-1-1m haproxy-2-1m", ""},
		{"-scenario bulk* -peers haproxy-1,haproxy-1", 2, "haproxy-1 haproxy-1#2", ""},
		{"-scenario shorty", 0, "", `wrong use: -scenario: no "shorty"; see -list`},
		{"-rounds 0", 0, "", "wrong use: -rounds is at least 1 and -scale above 0"},
		{"short", 0, "", `wrong use: "short" is not a flag; see -help`},
	} {
		o, err := parseOptions(strings.Fields(tt.args), t.Output())
		if tt.err != "" {
			if err == nil || err.Error() != tt.err {
				t.Errorf("%s: got error %v, want %s", tt.args, err, tt.err)
			}
			continue
		}
		if err != nil || len(o.scenarios) != tt.scenarios || strings.Join(names(o.peers), " ") != tt.peers {
			t.Errorf("%s: got %d scenarios, peers %v, %v", tt.args, len(o.scenarios), names(o.peers), err)
		}
	}
}

// TestSmoke runs 200 short sessions through nobody and through iocopy, by the clock and one after the other, and looks only at
// whether they arrive.
func TestSmoke(t *testing.T) {
	c, err := openClock(false)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	for _, p := range peers("sluice") {
		if p.name != "direct" && p.name != "iocopy" {
			continue
		}
		for name, spec := range map[string]loadSpec{
			"rate":      {Rate: 500, Warm: 1, Count: 200},
			"full":      {Conns: 8, Warm: 1, Count: 200},
			"nodefirst": {Conns: 8, Warm: 1, Count: 200, NodeFirst: true},
		} {
			t.Run(p.name+"/"+name, func(t *testing.T) {
				spec.Kind, spec.Request, spec.Response = "session", reqSize, respSize
				err := inBed(bedSpec{clock: c, peer: p, site: site{mode: plain}, seed: 1, scale: 1}, func(b *bed) error {
					l, err := b.load("sessions", spec)
					if err != nil {
						return err
					}
					res, used, err := b.measure(l)
					if err == nil && (res.Done != 200 || res.Latency.n != 200 || used.Wall <= 0) {
						t.Errorf("%d sessions done, %d timed, in %v; want 200", res.Done, res.Latency.n, used.Wall)
					}
					return err
				})
				if err != nil {
					t.Fatal(err)
				}
			})
		}
	}
}

// TestAFailedSessionFailsTheBench has a peer that takes connections and drops them.
func TestAFailedSessionFailsTheBench(t *testing.T) {
	c, err := openClock(false)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	broken := peer{name: "broken", command: func(s site) ([]string, error) {
		s.nodes = []string{"127.0.1.1:1"} // nobody listens there
		return ioCopyCommand(s)
	}}
	s := scenarios()[0]
	err = inBed(bedSpec{clock: c, peer: broken, site: site{mode: plain}, seed: 1, scale: 0.01}, func(b *bed) error {
		_, err := s.run(b)
		return err
	})
	// Which one is told of first depends on who is scheduled when.
	if err == nil || !regexp.MustCompile(`session \d+: `).MatchString(err.Error()) {
		t.Errorf("got error %v, want one that names a session", err)
	}
}
