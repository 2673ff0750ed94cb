package doctor

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sluicelb/sluice/configs"
)

// brief is findings as the tests write them: "warn pipes: ... -> fix", one a line.
func brief(all []Finding) string {
	var lines []string
	for _, f := range all {
		line := fmt.Sprintf("%s %s: %s", f.State, f.Subject, f.Found)
		if f.Fix != "" {
			line += " -> " + f.Fix
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// wants checks that each finding, in order, holds the words of one element, and that there are no others. Words are
// parted by "...".
func wants(t *testing.T, got []Finding, want ...string) {
	t.Helper()
	matches := slices.EqualFunc(got, want, func(f Finding, words string) bool {
		rest := brief([]Finding{f})
		for word := range strings.SplitSeq(words, "...") {
			_, after, found := strings.Cut(rest, word)
			if !found {
				return false
			}
			rest = after
		}
		return true
	})
	if !matches {
		t.Errorf("got\n%s\nwant\n%s", brief(got), strings.Join(want, "\n"))
	}
	for _, f := range got {
		if (f.State == OK) != (f.Fix == "") {
			t.Errorf("%s: a fix is for what is not ok, and only for that", brief([]Finding{f}))
		}
	}
}

// config is a configuration with the given text below one listener and one pool of four nodes.
func config(t *testing.T, more string) *configs.Config {
	t.Helper()
	cfg, report := configs.Parse("sluice.toml", `
[[listener]]
name    = "s3"
address = "127.0.0.1:9000"
pool    = "s3"

[[pool]]
name  = "s3"
nodes = ["192.0.2.{1...4}:9000"]
`+more)
	if err := report.Err(); err != nil {
		t.Fatal(err)
	}
	return cfg
}

func TestFailed(t *testing.T) {
	if all := []Finding{good("a", "b"), doubtful("a", "b", "c")}; Failed(all) || !Failed(append(all, bad("a", "b", "c"))) {
		t.Error("a warning counts as a failure, or a failure does not")
	}
}

func TestJudgeReport(t *testing.T) {
	wants(t, judgeReport(nil))
	wants(t, judgeReport(&configs.Report{}), "ok configuration: without a mistake")
	_, report := configs.Parse("sluice.toml", "[limits]\nsessions = -1\n")
	wants(t, judgeReport(report)[:1], "fail configuration: sluice.toml:")
}
