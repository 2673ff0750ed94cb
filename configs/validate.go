package configs

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// validate checks what no single value shows: ranges, references, combinations. It also completes the
// configuration where that needs more than one value.
//
// The rules of one table are in validate_*.go, under the name of the table. Here are those between them.
func (f *file) validate(root *entry, cfg *Config) {
	f.validateLog(root.at("log"), &cfg.Log)
	f.validateAdmin(root.at("admin"), &cfg.Admin)
	f.validateLimits(root.at("limits"), &cfg.Limits)
	f.validateTimeouts(root.at("timeouts"), &cfg.Timeouts)
	for _, p := range cfg.Pools {
		f.validatePool(f.entries[p], p)
	}
	for _, l := range cfg.Listeners {
		f.validateListener(f.entries[l], l)
	}

	if len(cfg.Listeners) == 0 {
		f.err(root.at("listener"), "there is no listener, so nothing would be served", "write [[listener]], with name, address and pool")
	}
	if len(cfg.Pools) == 0 {
		f.err(root.at("pool"), "there is no pool, so there is nowhere to send a session", "write [[pool]], with name and nodes")
	}
	f.validateNames(cfg)
	uses := f.uses(cfg)
	f.validateUses(cfg, uses)
	if !root.isBad("listener") {
		f.validateUnused(cfg, uses)
	}
	f.validateIdle(root.at("timeouts").at("idle"), cfg)
	f.validateBinds(root, cfg)
}

// validateNames wants names to be unique, among listeners and among pools.
func (f *file) validateNames(cfg *Config) {
	listeners, pools := make(map[string]*entry), make(map[string]*entry)
	for _, l := range cfg.Listeners {
		f.unique(listeners, f.entries[l].at("name"), l.Name)
	}
	for _, p := range cfg.Pools {
		f.unique(pools, f.entries[p].at("name"), p.Name)
	}
}

// unique reports a name that was taken before.
func (f *file) unique(taken map[string]*entry, e *entry, name string) {
	if name == "" || e.bad {
		return
	}
	if first := taken[name]; first != nil {
		f.err(e, fmt.Sprintf("%q is taken, on line %d", name, f.position(first.value).Line), "give each its own name")
		return
	}
	taken[name] = e
}

// within reports a number outside lo to hi.
func (f *file) within(e *entry, n, lo, hi int) {
	if n < lo || n > hi {
		f.err(e, fmt.Sprintf("%d is out of range", n), fmt.Sprintf("from %d to %d", lo, hi))
	}
}

// share reports a number outside 0 to most.
func (f *file) share(e *entry, x, most float64) {
	if !(x >= 0 && x <= most) { // NaN is neither
		f.err(e, fmt.Sprintf("%v is out of range", x), fmt.Sprintf("from 0 to %v", most))
	}
}

// between reports a duration outside lo to hi, other than 0 where zero says what that means.
func (f *file) between(e *entry, d, lo, hi time.Duration, zero string) {
	if d >= lo && d <= hi || d == 0 && zero != "" {
		return
	}
	what := fmt.Sprintf("%q is out of range", short(d))
	if d == 0 {
		what = "zero does not turn this off"
	}
	right := fmt.Sprintf("from %q to %q", short(lo), short(hi))
	if hi == forever {
		right = fmt.Sprintf("at least %q", short(lo))
	}
	if zero != "" {
		right += `, or "0s" ` + zero
	}
	f.err(e, what, right)
}

// forever is no upper bound.
const forever = time.Duration(math.MaxInt64)

// many is a bound on counts that nobody means to reach.
const many = 1 << 30

// short is a duration without the units that are zero at its end: 1h, not 1h0m0s.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// validateName reports a name that could not stand in a URL, a metric and a log line as it is.
func (f *file) validateName(t *entry, name string) {
	const hint = "write letters, digits, and . _ - between them, 64 at most"
	if name == "" {
		f.err(t.at("name"), "it has no name", "set name; it is how metrics, logs and commands call it")
		return
	}
	if len(name) > 64 || !isAlnum(rune(name[0])) {
		f.err(t.at("name"), clipped(name)+" is not a name", hint)
		return
	}
	for _, r := range name {
		if !isAlnum(r) && !strings.ContainsRune("._-", r) {
			f.err(t.at("name"), clipped(name)+" is not a name", hint)
			return
		}
	}
}

func isAlnum(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
}
