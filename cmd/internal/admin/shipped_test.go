package admin

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluicelb/sluice/cmd/internal/need"
	"github.com/sluicelb/sluice/l4"
)

// shipped is the folder of the files that ship with Sluice.
const shipped = "../../../configs"

// TestShippedQueriesAskForMetrics compares the names in the dashboard and in the rules with what /metrics has.
func TestShippedQueriesAskForMetrics(t *testing.T) {
	f := newFixture(t, []string{"127.0.0.1:1"}, nil)
	f.certs = []l4.Certificate{{Listener: "tls", File: "edge.pem", NotAfter: time.Unix(2_000_000_000, 0)}}
	_, body := f.do("GET", "/metrics")
	// What exists once something has happened; TestMetrics sees it.
	have := []string{"sluice_check_seconds"}
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (\S+) (\S+)$`).FindAllStringSubmatch(body, -1) {
		have = append(have, m[1])
		if m[2] == "histogram" {
			have = append(have, m[1]+"_bucket", m[1]+"_sum", m[1]+"_count")
		}
	}
	for file, least := range map[string]int{"grafana.json": 25, "alerts.yml": 15, "testdata/alerts_test.yml": 10} {
		text, err := os.ReadFile(filepath.Join(shipped, file))
		if err != nil {
			t.Fatal(err)
		}
		used := regexp.MustCompile(`\b(sluice|process|go)_[a-z_]+\b`).FindAllString(string(text), -1)
		slices.Sort(used)
		used = slices.Compact(used)
		if len(used) < least {
			t.Errorf("%s asks for %d metrics, want %d at least", file, len(used), least)
		}
		for _, name := range used {
			if !slices.Contains(have, name) {
				t.Errorf("%s asks for %s, which does not exist", file, name)
			}
		}
	}
}

// TestDashboard looks at what Grafana needs of its file.
func TestDashboard(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(shipped, "grafana.json"))
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Title  string
		Panels []struct {
			ID      int
			Title   string
			GridPos struct{ X, Y, W, H int }
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	ids := map[int]bool{}
	for _, p := range d.Panels {
		if p.Title == "" || ids[p.ID] || p.GridPos.W == 0 || p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("panel %+v: no title, an id twice, or no place", p)
		}
		ids[p.ID] = true
		for _, q := range p.Targets {
			if !strings.Contains(q.Expr, `instance=~"$instance"`) {
				t.Errorf("%s: %s is not of the chosen instances", p.Title, q.Expr)
			}
		}
	}
	if d.Title != "Sluice" || len(ids) < 20 {
		t.Errorf("got %q with %d panels", d.Title, len(ids))
	}

	promtool := need.Program(t, "promtool")
	var rules strings.Builder
	rules.WriteString("groups:\n- name: g\n  rules:\n")
	for _, p := range d.Panels {
		for _, q := range p.Targets {
			query := strings.NewReplacer("$__rate_interval", "5m", "$instance", ".*").Replace(q.Expr)
			fmt.Fprintf(&rules, "  - record: r%d\n    expr: %q\n", rules.Len(), query)
		}
	}
	file := filepath.Join(t.TempDir(), "rules.yml")
	if err := os.WriteFile(file, []byte(rules.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), promtool, "check", "rules", file).CombinedOutput(); err != nil {
		t.Errorf("the queries: %v\n%s", err, out)
	}
}

// TestRules has Prometheus check and test the alert rules.
func TestRules(t *testing.T) {
	promtool := need.Program(t, "promtool")
	for _, args := range [][]string{{"check", "rules", "alerts.yml"}, {"test", "rules", "testdata/alerts_test.yml", "testdata/alerts_long_test.yml"}} {
		cmd := exec.CommandContext(t.Context(), promtool, args...)
		cmd.Dir = shipped
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %q: %v\n%s", args, err, out)
		}
	}
	text, err := os.ReadFile(filepath.Join(shipped, "alerts.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var tests []byte
	for _, file := range []string{"testdata/alerts_test.yml", "testdata/alerts_long_test.yml"} {
		text, err := os.ReadFile(filepath.Join(shipped, file))
		if err != nil {
			t.Fatal(err)
		}
		tests = append(tests, text...)
	}
	for _, m := range regexp.MustCompile(`alert: (\w+)`).FindAllStringSubmatch(string(text), -1) {
		if !regexp.MustCompile(`\b` + m[1] + `\b`).Match(tests) {
			t.Errorf("rule %s has no test", m[1])
		}
	}
}

// TestReadmeListsAll holds the table of metrics, and that of routes, to what is there.
func TestReadmeListsAll(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	const tableHead = "| metric | labels | what |\n|---|---|---|\n"
	descs := make(chan *prometheus.Desc, 100)
	(&collector{}).Describe(descs)
	close(descs)
	var want strings.Builder
	for d := range descs {
		m := regexp.MustCompile(`fqName: "(\w+)", help: "(.*?)", .*variableLabels: \{([^{}]*)\}`).FindStringSubmatch(d.String())
		if m == nil {
			t.Fatalf("%s", d)
		}
		fmt.Fprintf(&want, "| `%s` | %s | %s |\n", m[1], strings.ReplaceAll(m[3], ",", ", "), m[2])
	}
	head, got, found := strings.Cut(string(text), tableHead)
	switch {
	case found && got == want.String():
	case *update:
		if err := os.WriteFile("README.md", []byte(head+tableHead+want.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("the table of metrics is\n%swant\n%s", got, want.String())
	}
	f := newFixture(t, []string{"127.0.0.1:1"}, nil)
	for _, r := range f.table() {
		line := fmt.Sprintf("| `%s %s` |", r.method, strings.TrimSuffix(r.path, "{$}"))
		if r.path != "/page/{file}" && !strings.Contains(string(text), line) {
			t.Errorf("no row begins with %s", line)
		}
	}
}
