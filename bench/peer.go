//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// mode is what a scenario asks of a peer.
type mode string

const (
	plain     mode = "plain"     // relay what comes to one port
	passByer  mode = "sni"       // choose the pool by the server name of the hello, which goes on unchanged
	terminate mode = "terminate" // end TLS, relay what is inside
)

// site is the place that a peer is configured for.
type site struct {
	mode   mode
	port   int
	nodes  []string // addresses with ports
	name   string   // the server name that routes lead from
	cert   string   // file with certificate chain and key, and the two apart
	certs  string
	key    string
	checks bool // active health checks, as in production
	watch  bool // records of sessions to a file, and an admin API that is asked for metrics
	blind  bool // neither, and no admin API
	bulk   bool // large transfers are what matters
	dir    string
}

// peer is something that can stand between clients and nodes.
type peer struct {
	name    string
	what    string                         // for the list and the results
	binary  string                         // looked up in PATH; "" needs none
	modes   []mode                         // what it can do; nil is everything
	big     bool                           // its buffers are so large that it only takes part where streams are few
	blind   bool                           // it cannot be watched, and takes part only where the others are
	command func(s site) ([]string, error) // writes its configuration into s.dir; nil for direct
	version func() string
}

func (p peer) can(m mode) bool { return p.modes == nil || slices.Contains(p.modes, m) }

// installed reports whether the peer can be run here.
func (p peer) installed() bool {
	if p.binary == "" {
		return true
	}
	_, err := exec.LookPath(p.binary)
	return err == nil
}

// peers are all that there are, in the order of every table.
func peers(sluice string) []peer {
	list := []peer{
		{name: "direct", what: "no balancer: clients talk to the nodes"},
		{name: "sluice", what: "Sluice with its defaults", binary: sluice, command: sluiceCommand(sluice, "auto"), version: outputOf(sluice, "version")},
		{name: "sluice-blind", what: "Sluice without records, metrics and admin API", binary: sluice, blind: true,
			command: sluiceCommand(sluice, "auto"), version: outputOf(sluice, "version")},
		{name: "sluice-copy", what: `Sluice with relay = "copy"`, binary: sluice, command: sluiceCommand(sluice, "copy"), version: outputOf(sluice, "version")},
	}
	for _, big := range []bool{false, true} {
		suffix, more := "", ""
		if big {
			suffix, more = "-1m", ", buffers of 1 MiB"
		}
		for _, n := range []int{1, 2} {
			list = append(list, peer{name: fmt.Sprintf("haproxy-%d%s", n, suffix), what: fmt.Sprintf("HAProxy, nbthread %d%s", n, more),
				binary: "haproxy", big: big, command: haproxyCommand(n, big), version: outputOf("haproxy", "-v")})
		}
		for _, n := range []int{1, 2} {
			list = append(list, peer{name: fmt.Sprintf("nginx-%d%s", n, suffix), what: fmt.Sprintf("nginx stream, worker_processes %d%s", n, more),
				binary: "nginx", big: big, command: nginxCommand(n, big), version: outputOf("nginx", "-v")})
		}
	}
	return append(list, peer{name: "iocopy", what: "60 lines of Go: two goroutines and io.Copy a session", modes: []mode{plain},
		command: ioCopyCommand})
}

// family is the name that variants of a peer share: the better of them counts.
func family(name string) string {
	return strings.FieldsFunc(name, func(r rune) bool { return r == '-' || r == '#' })[0]
}

// outputOf returns the first line of what a command prints.
func outputOf(binary string, args ...string) func() string {
	return func() string {
		out, err := exec.Command(binary, args...).CombinedOutput()
		if err != nil {
			return "unknown: " + err.Error()
		}
		line, _, _ := strings.Cut(string(out), "\n")
		return line
	}
}

// process is a running peer.
type process struct {
	name   string
	cmd    *exec.Cmd
	output bytes.Buffer
	exited chan error
}

// startPeer configures p for s and starts it, in the memory cgroup of group if there is one. It returns when the port
// accepts connections.
func startPeer(p peer, s site, group string) (*process, error) {
	argv, err := p.command(s)
	if err != nil {
		return nil, fmt.Errorf("configure %s: %w", p.name, err)
	}
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	pr := &process{name: p.name, exited: make(chan error, 1)}
	pr.cmd = exec.Command(exe, append([]string{cmdExec, group}, argv...)...)
	pr.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir}
	pr.cmd.Dir = s.dir
	// SIGTERM, not SIGKILL: a master takes its workers with it.
	pr.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	pr.cmd.Stdout, pr.cmd.Stderr = &pr.output, &pr.output
	pr.cmd.WaitDelay = time.Second
	if err := pr.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", p.name, err)
	}
	go func() { pr.exited <- pr.cmd.Wait() }()
	if err := pr.awaitPort(s.port); err != nil {
		pr.stop()
		return nil, fmt.Errorf("start %s: %w\n%s", p.name, err, pr.output.String())
	}
	return pr, nil
}

// awaitPort waits until the process accepts connections.
func (pr *process) awaitPort(port int) error {
	for range 1000 {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0) // not a Dialer: this thread's network namespace
		if err != nil {
			return err
		}
		err = unix.Connect(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, clientNet, 1}, Port: port})
		_ = unix.Close(fd)
		if err == nil {
			return nil
		}
		select {
		case err := <-pr.exited:
			pr.exited <- err
			return fmt.Errorf("ended before it listened: %v", err)
		case <-time.After(10 * time.Millisecond):
		}
	}
	return errors.New("does not listen after 10 s")
}

// stop ends the process and all it has started.
func (pr *process) stop() {
	_ = pr.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-pr.exited:
	case <-time.After(3 * time.Second):
	}
	_ = syscall.Kill(-pr.cmd.Process.Pid, syscall.SIGKILL)
	select {
	case <-pr.exited:
	case <-time.After(100 * time.Millisecond):
	}
}

// pids returns the processes of pr: the one that was started and its descendants.
func (pr *process) pids() []int {
	all := []int{pr.cmd.Process.Pid}
	for i := 0; i < len(all); i++ {
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", all[i], all[i]))
		for f := range strings.FieldsSeq(string(b)) {
			if pid, err := strconv.Atoi(f); err == nil {
				all = append(all, pid)
			}
		}
	}
	return all
}

// files returns the number of open descriptors of all processes of pr.
func (pr *process) files() int {
	n := 0
	for _, pid := range pr.pids() {
		d, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
		n += len(d)
	}
	return n
}

// cpu returns the processor time of all threads of all processes of pr so far, in the kernel's own precision.
func (pr *process) cpu() time.Duration {
	var sum time.Duration
	for _, pid := range pr.pids() {
		threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
		for _, t := range threads {
			b, _ := os.ReadFile(t)
			ns, _, _ := strings.Cut(string(b), " ")
			n, _ := strconv.ParseInt(ns, 10, 64)
			sum += time.Duration(n)
		}
	}
	return sum
}

// runExec is the process before it becomes the peer: it enters its cgroup, lifts the limit on open files, and executes the rest.
func runExec(args []string) error {
	group, argv := args[0], args[1:]
	if group != "" {
		if err := os.WriteFile(filepath.Join(group, "cgroup.procs"), []byte("0"), 0); err != nil {
			return fmt.Errorf("enter the cgroup: %w", err)
		}
	}
	raiseFiles()
	path, err := exec.LookPath(argv[0])
	if err != nil {
		return err
	}
	return syscall.Exec(path, argv, os.Environ())
}

// writeConfig writes a configuration file into the site's directory and returns its path.
func (s site) writeConfig(name, text string) (string, error) {
	path := filepath.Join(s.dir, name)
	return path, os.WriteFile(path, []byte(text), 0o644)
}
