package l4

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/sluicelb/sluice/configs"
	"github.com/sluicelb/sluice/pool"
)

// CheckFiles reads the files that a configuration names for TLS as [Server.Apply] does, keeps nothing of them, and
// returns what it finds, each with its place in the configuration. A file that is not there is a warning, because
// a configuration may be checked on another machine than the one it is for; Apply refuses it.
func CheckFiles(cfg *configs.Config) []configs.Problem {
	r := &filesReport{}
	for i, lc := range cfg.Listeners {
		if lc.TLS == configs.Terminate {
			r.listener(fmt.Sprintf("listener[%d]", i), lc)
		}
	}
	for i, pc := range cfg.Pools {
		if pc.TLS.Enabled || pc.Check.TLS || pc.Check.Type == configs.CheckTLS {
			_, err := pool.ReadTLS(&pc.TLS)
			r.add(pc.TLS.Pos, fmt.Sprintf("pool[%d].tls", i), fmt.Sprintf("pool %q", pc.Name), nil, err)
		}
	}
	return r.problems
}

// A filesReport is what was found so far.
type filesReport struct{ problems []configs.Problem }

func (r *filesReport) listener(key string, lc *configs.Listener) {
	owner := fmt.Sprintf("listener %q", lc.Name)
	for i, c := range lc.Certificates {
		_, warnings, err := readPair(c, time.Now())
		r.add(c.Pos, fmt.Sprintf("%s.certificate[%d]", key, i), owner, warnings, err)
	}
	if a := lc.ClientAuth; a != nil {
		r.add(a.Pos, key+".client_auth", owner, nil, new(terminator).takeCAs(a))
	}
	for i, k := range lc.ECH {
		_, err := readECH(k)
		r.add(k.Pos, fmt.Sprintf("%s.ech[%d]", key, i), owner, nil, err)
	}
}

func (r *filesReport) add(pos configs.Position, key, owner string, warnings []string, err error) {
	found := func(what, right string, warning bool) {
		r.problems = append(r.problems, configs.Problem{Pos: pos, Key: key, Owner: owner, What: what, Right: right, Warning: warning})
	}
	for _, w := range warnings {
		found(w, "", true)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		found(err.Error(), "run and reload refuse it: is this the machine that it is for?", true)
	case err != nil:
		found(err.Error(), "", false)
	}
}
