// Package doctor looks at a machine, a configuration and its nodes as an operator of some experience would before
// trusting them, and says for each thing what was found and, where it is not good, what to do.
//
//	findings := doctor.Examine(ctx, doctor.Options{Config: cfg})
//	for _, f := range findings { fmt.Println(f.State, f.Subject, f.Found, f.Fix) }
//
// Reading and judging are apart: what is read of /proc, sockets and nodes becomes plain values, and pure functions
// make findings of these. It changes nothing, listens nowhere, and needs no running Sluice.
package doctor

import (
	"context"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/sluicelb/sluice/configs"
)

// State is how good a finding is.
type State string

const (
	OK   State = "ok"
	Warn State = "warn" // it works, and may not when it matters
	Fail State = "fail" // it does not work
)

// Finding is one thing that was looked at.
type Finding struct {
	State   State  `json:"state"`
	Subject string `json:"subject"`       // what was looked at, in one or two words
	Found   string `json:"found"`         // in one sentence
	Fix     string `json:"fix,omitempty"` // a command or a line; "" where all is well
}

// Options says what to look at.
type Options struct {
	Config *configs.Config // nil: the machine only
	Report *configs.Report // what loading the configuration said; nil: none was loaded
	Root   fs.FS           // where proc and sys are; nil: those of this machine
}

// askTimeout bounds each question to a node.
const askTimeout = 5 * time.Second

// Examine reads and judges. What could not be read is left out or said; there is no error. It takes up to
// some twenty seconds where nodes hang, longer where there are dozens of these; cancelling ctx ends the questions.
func Examine(ctx context.Context, o Options) []Finding {
	cfg, root := o.Config, o.Root
	if cfg == nil {
		cfg = configs.Default()
	}
	if root == nil {
		root = os.DirFS("/")
	}
	m := readMachine(root, cfg.Path)
	all := slices.Concat(judgeReport(o.Report),
		judgeFiles(m, cfg), judgePipes(m, cfg), judgeBacklog(m), judgePorts(m, cfg), judgeConntrack(m, cfg), judgeClock(m),
	)
	if o.Config == nil {
		return slices.Concat(all, judgeMTU(m, nil))
	}
	nodes := askNodes(ctx, cfg)
	return slices.Concat(all,
		judgeBinds(readBinds(root, cfg), m.pid), judgeCertificates(readCertificates(cfg), time.Now()),
		judgeReach(nodes), judgeNodeCertificates(nodes, time.Now()), judgeNodeClocks(nodes),
		judgeVersions(nodes), judgeRedirects(nodes, cfg), judgeMTU(m, nodes),
	)
}

// judgeReport repeats what is wrong with the configuration: nothing that follows is worth more.
func judgeReport(r *configs.Report) (all []Finding) {
	const subject = "configuration"
	if r == nil {
		return nil
	}
	for _, p := range r.Problems {
		state, where := Fail, p.Pos.String()
		if p.Warning {
			state = Warn
		}
		if p.Key != "" {
			where += ": " + p.Key
		}
		all = append(all, Finding{state, subject, where + ": " + p.What, p.Right})
	}
	if all == nil {
		all = append(all, good(subject, "without a mistake"))
	}
	return all
}

// Failed tells whether one of the findings is a failure.
func Failed(all []Finding) bool {
	return slices.ContainsFunc(all, func(f Finding) bool { return f.State == Fail })
}

func good(subject, found string) Finding          { return Finding{OK, subject, found, ""} }
func doubtful(subject, found, fix string) Finding { return Finding{Warn, subject, found, fix} }
func bad(subject, found, fix string) Finding      { return Finding{Fail, subject, found, fix} }
