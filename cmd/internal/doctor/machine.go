package doctor

import (
	"cmp"
	"io/fs"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// machine is what was read of this machine. What a system does not have, or keeps to itself, is absent.
type machine struct {
	pid          int    // of the running Sluice with this configuration; 0: there is none, and what follows is of this process
	files        uint64 // most descriptors: the hard limit, to which a Go program raises the soft one. 0: not known
	capabilities uint64 // in effect, capabilities(7)

	sysctls           map[string]int64 // by name, those that are one number
	portLow, portHigh int              // net.ipv4.ip_local_port_range; 0: not known
	reserved          []portRange      // net.ipv4.ip_local_reserved_ports
	clock             *clock           // nil: not known
	interfaces        []net.Interface  // that are up
}

// clock is what the kernel says of its own, adjtimex(2).
type clock struct {
	synchronized bool
	maxError     time.Duration
}

type portRange struct{ low, high int }

// Capabilities that matter, by their bits.
const (
	capSysAdmin    = 21
	capSysResource = 24
)

func (m *machine) capable(bits ...int) bool {
	return slices.ContainsFunc(bits, func(b int) bool { return m.capabilities>>b&1 == 1 })
}

// sysctlNames are those that are read.
var sysctlNames = []string{
	"fs.nr_open", "fs.pipe-user-pages-soft", "fs.pipe-user-pages-hard", "fs.pipe-max-size",
	"net.core.somaxconn", "net.ipv4.tcp_max_syn_backlog", "net.ipv4.tcp_syncookies",
	"net.netfilter.nf_conntrack_count", "net.netfilter.nf_conntrack_max",
}

// readMachine reads proc below root. The path is that of the configuration, by which the Sluice that runs with it
// is found; it may be "".
func readMachine(root fs.FS, path string) *machine {
	m := &machine{pid: findSluice(root, path), sysctls: map[string]int64{}, clock: readClock()}
	process := "proc/self"
	if m.pid > 0 {
		process = "proc/" + strconv.Itoa(m.pid)
	}
	m.files = readFiles(readText(root, process+"/limits"))
	m.capabilities = readCapabilities(readText(root, process+"/status"))
	for _, name := range sysctlNames {
		if n, err := strconv.ParseInt(readSysctl(root, name), 10, 64); err == nil {
			m.sysctls[name] = n
		}
	}
	if ports := strings.Fields(readSysctl(root, "net.ipv4.ip_local_port_range")); len(ports) == 2 {
		m.portLow, _ = strconv.Atoi(ports[0])
		m.portHigh, _ = strconv.Atoi(ports[1])
	}
	m.reserved = readRanges(readSysctl(root, "net.ipv4.ip_local_reserved_ports"))
	all, _ := net.Interfaces()
	m.interfaces = slices.DeleteFunc(all, func(i net.Interface) bool { return i.Flags&net.FlagUp == 0 })
	return m
}

// maxText bounds what is kept of a file.
const maxText = 16 << 20

// readText is a file's text, "" if it cannot be read.
func readText(root fs.FS, name string) string {
	text, err := fs.ReadFile(root, name)
	if err != nil {
		return ""
	}
	return string(text[:min(len(text), maxText)])
}

func readSysctl(root fs.FS, name string) string {
	return strings.TrimSpace(readText(root, "proc/sys/"+strings.ReplaceAll(name, ".", "/")))
}

// readFiles finds the hard limit of open files in proc's limits, proc_pid_limits(5).
func readFiles(limits string) uint64 {
	for line := range strings.Lines(limits) {
		if values, ok := strings.CutPrefix(line, "Max open files"); ok {
			if fields := strings.Fields(values); len(fields) >= 2 {
				n, _ := strconv.ParseUint(fields[1], 10, 64)
				return n
			}
		}
	}
	return 0
}

// readCapabilities finds those in effect in proc's status, proc_pid_status(5).
func readCapabilities(status string) uint64 {
	for line := range strings.Lines(status) {
		if value, ok := strings.CutPrefix(line, "CapEff:"); ok {
			n, _ := strconv.ParseUint(strings.TrimSpace(value), 16, 64)
			return n
		}
	}
	return 0
}

// readRanges reads a list such as 8080,9000-9003.
func readRanges(text string) (ranges []portRange) {
	for part := range strings.SplitSeq(text, ",") {
		from, to, _ := strings.Cut(part, "-")
		low, err := strconv.Atoi(from)
		if err != nil {
			continue
		}
		high, err := strconv.Atoi(cmp.Or(to, from))
		if err == nil {
			ranges = append(ranges, portRange{low, high})
		}
	}
	return ranges
}

// findSluice is the process that runs the configuration at path, 0 if there is none or it cannot be told.
func findSluice(root fs.FS, path string) int {
	if path == "" {
		return 0
	}
	want, err := filepath.Abs(path)
	if err != nil {
		return 0
	}
	entries, _ := fs.ReadDir(root, "proc")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || commandOf(root, pid) != "sluice" {
			continue
		}
		words := strings.Split(readText(root, "proc/"+e.Name()+"/cmdline"), "\x00")
		folder, _ := fs.ReadLink(root, "proc/"+e.Name()+"/cwd")
		if slices.Contains(words, "run") && slices.ContainsFunc(words, func(word string) bool {
			if _, value, ok := strings.Cut(word, "="); ok {
				word = value // --config=FILE
			}
			if !filepath.IsAbs(word) {
				word = filepath.Join(folder, word)
			}
			return filepath.Clean(word) == want
		}) {
			return pid
		}
	}
	return 0
}

func commandOf(root fs.FS, pid int) string {
	return strings.TrimSpace(readText(root, "proc/"+strconv.Itoa(pid)+"/comm"))
}
