package doctor

import (
	"fmt"
	"os"
	"strings"

	"github.com/sluicelb/sluice/cmd/internal/units"
	"github.com/sluicelb/sluice/configs"
	"github.com/sluicelb/sluice/l4"
)

// fewSessions: fewer than this are no choice but a limit that nobody thought of.
const fewSessions = 10_000

// capacity is how many sessions may be open at once.
func capacity(m *machine, cfg *configs.Config) int64 {
	return l4.Capacity(cfg.Limits.Sessions, m.files)
}

// whose says of which process the limits are.
func (m *machine) whose() string {
	if m.pid > 0 {
		return fmt.Sprintf("of the running Sluice, pid %d", m.pid)
	}
	return "of this shell; a service has its own"
}

func judgeFiles(m *machine, cfg *configs.Config) []Finding {
	const subject = "descriptors"
	if m.files == 0 {
		return nil
	}
	limit := fmt.Sprintf("%s (%s)", units.Count(m.files), m.whose())
	sessions := int64(cfg.Limits.Sessions)
	if sessions == 0 {
		sessions = fewSessions
	}
	need := uint64(sessions)*l4.FilesPerSession + l4.ReservedFiles
	fix := fmt.Sprintf("LimitNOFILE=%d under [Service] (systemctl edit sluice), then systemctl restart sluice", need)
	if open, ok := m.sysctls["fs.nr_open"]; ok && need > uint64(open) {
		fix = fmt.Sprintf("sysctl -w fs.nr_open=%d; then %s", need, fix)
	}
	switch {
	case m.files >= need:
		return []Finding{good(subject, fmt.Sprintf("%s: enough for %s sessions", limit, units.Count(capacity(m, cfg))))}
	case cfg.Limits.Sessions == 0:
		return []Finding{doubtful(subject, fmt.Sprintf("%s: no more than %s sessions at once", limit, units.Count(capacity(m, cfg))), fix)}
	}
	f := bad(subject, fmt.Sprintf("%s, limits.sessions = %d needs %s", limit, sessions, units.Count(need)), fix)
	if m.pid == 0 {
		f.State = Warn // it may be right where it counts
	}
	return []Finding{f}
}

func judgePipes(m *machine, cfg *configs.Config) []Finding {
	const subject = "pipes"
	soft, known := m.sysctls["fs.pipe-user-pages-soft"]
	if !known {
		return nil
	}
	if m.capable(capSysResource, capSysAdmin) {
		return []Finding{good(subject, fmt.Sprintf("no limit: CAP_SYS_RESOURCE or CAP_SYS_ADMIN is in effect (%s)", m.whose()))}
	}
	page := int64(os.Getpagesize())
	wanted := int64(l4.MaxPipes)
	if cfg.Limits.Pipes > 0 {
		wanted = int64(cfg.Limits.Pipes)
	}
	var all []Finding
	for _, name := range []string{"fs.pipe-user-pages-soft", "fs.pipe-user-pages-hard"} {
		pages := m.sysctls[name]
		if have := pages * page / l4.PipeSize * 3 / 4; pages > 0 && have < wanted { // 0: no limit; a quarter is for others
			all = append(all, doubtful(subject, fmt.Sprintf("%s=%d: %d pipes of 1 MiB without privilege, %d are wanted; the rest of the bulk data costs more processor time",
				name, pages, have, wanted), fmt.Sprintf("sysctl -w %s=0, or AmbientCapabilities=CAP_SYS_RESOURCE under [Service]", name)))
		}
	}
	if size, ok := m.sysctls["fs.pipe-max-size"]; ok && size < l4.PipeSize {
		all = append(all, doubtful(subject, fmt.Sprintf("fs.pipe-max-size=%d: less than the 1 MiB that moves bulk data well", size),
			fmt.Sprintf("sysctl -w fs.pipe-max-size=%d", l4.PipeSize)))
	}
	if all == nil {
		all = append(all, good(subject, fmt.Sprintf("fs.pipe-user-pages-soft=%d: enough for %d pipes of 1 MiB", soft, wanted)))
	}
	return all
}

func judgeBacklog(m *machine) []Finding {
	const subject = "backlog"
	least := []struct {
		name  string
		least int64
		why   string
	}{
		{"net.core.somaxconn", 4096, "connections that wait to be accepted; more than these are dropped in a burst"},
		{"net.ipv4.tcp_max_syn_backlog", 1024, "handshakes that are under way"},
		{"net.ipv4.tcp_syncookies", 1, "with a full backlog a SYN flood keeps everybody out"},
	}
	var all []Finding
	var seen []string
	for _, l := range least {
		n, ok := m.sysctls[l.name]
		if !ok {
			continue
		}
		seen = append(seen, fmt.Sprintf("%s=%d", l.name, n))
		if n < l.least {
			all = append(all, doubtful(subject, fmt.Sprintf("%s=%d: %s", l.name, n, l.why), fmt.Sprintf("sysctl -w %s=%d", l.name, l.least)))
		}
	}
	if all == nil && seen != nil {
		all = append(all, good(subject, strings.Join(seen, ", ")))
	}
	return all
}

func judgeConntrack(m *machine, cfg *configs.Config) []Finding {
	const subject, each = "conntrack", 2 // entries of a session
	most, ok := m.sysctls["net.netfilter.nf_conntrack_max"]
	count, counted := m.sysctls["net.netfilter.nf_conntrack_count"]
	if !ok || !counted || most == 0 {
		return nil // not loaded: nothing to fill
	}
	sessions := int64(cfg.Limits.Sessions)
	found := fmt.Sprintf("%s of %s entries in use; a session takes two", units.Count(count), units.Count(most))
	fix := fmt.Sprintf("sysctl -w net.netfilter.nf_conntrack_max=%d", max(2*most, each*sessions*5/4))
	switch {
	case count*10 >= most*9:
		return []Finding{bad(subject, found+": when it is full, new connections are dropped without a word", fix)}
	case count*10 >= most*7:
		return []Finding{doubtful(subject, found, fix)}
	case each*sessions > most:
		return []Finding{doubtful(subject, fmt.Sprintf("%s, so limits.sessions = %d cannot be reached", found, sessions), fix)}
	}
	return []Finding{good(subject, found)}
}

func judgeClock(m *machine) []Finding {
	const subject = "clock"
	switch {
	case m.clock == nil:
		return nil
	case !m.clock.synchronized:
		return []Finding{doubtful(subject, "nothing keeps it right: certificates, logs and S3 signatures (15 minutes) depend on it",
			"timedatectl set-ntp true (or start chronyd); in a container, on its host")}
	}
	return []Finding{good(subject, fmt.Sprintf("synchronized, wrong by %s at most", m.clock.maxError.Round(1e6)))}
}
