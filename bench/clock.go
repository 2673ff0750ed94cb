//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// usage is a reading of the machine's clocks; the difference of two is what happened between.
type usage struct {
	wall  time.Duration
	idle  time.Duration // all processors together
	steal time.Duration // taken by the hypervisor
	tasks time.Duration // processor time of all processes, and
	own   time.Duration // of the benchmark's own, and of ksoftirqd; 0 if there is no cgroup to tell
}

// clock reads how much of the machine's time is used up.
//
// The figure that counts is the time that all processors together were not idle. It does not matter then which process
// the kernel charged for a packet: on loopback a send also does the receiving side's work, and a process looks the cheaper the
// more of its work others do. The kernel counts idle time in nanoseconds, whenever a processor enters or leaves
// its idle loop (tick_nohz_stop_idle), interrupts excluded; /proc/stat rounds the sum to 10 ms, one half of one
// percent of a window with two seconds of work.
//
// What a hypervisor stole from a processor at work is no work, and is taken off. Part of what it stole it took while the processor
// was waking up, which is idle time already, and nothing tells the two apart. So the processor time of all processes, from
// which the kernel takes what was stolen exactly, is a second bound from below, and the higher of the two counts.
type clock struct {
	stat    *os.File
	group   string   // our cgroup's directory, or "" without one
	softirq []string // where the processor time of ksoftirqd's threads is told: with packets by the gigabyte, much of the work is theirs
	close   func()
	cpus    int
	// countOwn makes the processor time of our own processes the figure that counts. It leaves out what interrupts do on an
	// idle processor, but stays true while others use the machine.
	countOwn bool
}

const tick = time.Second / 100 // USER_HZ, the unit of /proc/stat

// openClock prepares the clock and puts this process, and what it starts from now on, into a cgroup of their own, so that work
// of others on the machine can be told from ours. Without the right to do so, own stays 0.
func openClock(countOwn bool) (*clock, error) {
	f, err := os.Open("/proc/stat")
	if err != nil {
		return nil, err
	}
	c := &clock{stat: f, close: func() {}, countOwn: countOwn}
	b := make([]byte, 64<<10)
	n, _ := f.ReadAt(b, 0)
	for line := range strings.Lines(string(b[:n])) {
		if strings.HasPrefix(line, "cpu") && line[3] != ' ' {
			c.cpus++
		}
	}
	if c.cpus == 0 {
		return nil, errors.New("/proc/stat lists no processor")
	}
	threads, _ := filepath.Glob("/proc/[0-9]*/comm")
	for _, path := range threads {
		if name, err := os.ReadFile(path); err == nil && strings.HasPrefix(string(name), "ksoftirqd/") {
			c.softirq = append(c.softirq, filepath.Join(filepath.Dir(path), "schedstat"))
		}
	}
	grouped := c.enter("/sys/fs/cgroup/cpuacct") || c.enter("/sys/fs/cgroup")
	if c.countOwn && !grouped {
		return nil, errors.New("-own needs the right to make a cgroup under /sys/fs/cgroup")
	}
	return c, nil
}

// enter makes a cgroup and moves this process into it, until the clock is closed. It reports whether that worked.
func (c *clock) enter(controller string) bool {
	dir := filepath.Join(controller, fmt.Sprintf("bench-%d", os.Getpid()))
	if os.Mkdir(dir, 0o755) != nil {
		return false
	}
	if _, err := groupTime(dir); err != nil || os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte("0"), 0) != nil {
		_ = os.Remove(dir)
		return false
	}
	c.group = dir
	c.close = func() {
		_ = os.WriteFile(filepath.Join(controller, "cgroup.procs"), []byte("0"), 0)
		_ = os.Remove(dir)
	}
	return true
}

// groupTime reads how much processor time the processes of a cgroup have used: version 1 has a file for it, version 2 a line.
func groupTime(dir string) (time.Duration, error) {
	if b, err := os.ReadFile(filepath.Join(dir, "cpuacct.usage")); err == nil {
		ns, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
		return time.Duration(ns), err
	}
	b, err := os.ReadFile(filepath.Join(dir, "cpu.stat"))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(b), "usage_usec ")
	us, _, _ := strings.Cut(rest, "\n")
	n, err := strconv.ParseInt(us, 10, 64)
	return time.Duration(n) * time.Microsecond, err
}

// threadTime reads how much processor time a thread has used, proc(5) schedstat; 0 where the kernel does not tell.
func threadTime(path string) time.Duration {
	b, _ := os.ReadFile(path)
	ns, _, _ := strings.Cut(string(b), " ")
	n, _ := strconv.ParseInt(ns, 10, 64)
	return time.Duration(n)
}

// read takes a reading.
func (c *clock) read() (usage, error) {
	var u usage
	b := make([]byte, 256)
	if _, err := c.stat.ReadAt(b, 0); err != nil {
		return u, fmt.Errorf("read /proc/stat: %w", err)
	}
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return u, err
	}
	u.wall = time.Duration(ts.Nano())
	line, _, _ := bytes.Cut(b, []byte("\n"))
	f := strings.Fields(string(line)) // cpu user nice system idle iowait irq softirq steal ...
	if len(f) < 9 || f[0] != "cpu" {
		return u, fmt.Errorf("/proc/stat begins with %q", line)
	}
	ticks := func(i int) time.Duration {
		n, _ := strconv.ParseInt(f[i], 10, 64)
		return time.Duration(n) * tick
	}
	u.idle, u.steal = ticks(4)+ticks(5), ticks(8)
	if c.group != "" {
		var err error
		if u.own, err = groupTime(c.group); err != nil {
			return u, err
		}
		for _, path := range c.softirq {
			u.own += threadTime(path)
		}
		u.tasks, _ = groupTime(filepath.Dir(c.group))
	}
	return u, nil
}

// spent is what happened between two readings.
type spent struct {
	CPUs  int           `json:"cpus"`
	Wall  time.Duration `json:"wall"`
	Busy  time.Duration `json:"busy"` // of all processors
	Steal time.Duration `json:"steal"`
	Tasks time.Duration `json:"tasks"` // processor time of all processes: a part of Busy; the rest is interrupts on idle processors
	Own   time.Duration `json:"own"`   // that of ours: a part of Tasks; the rest is others at work
	Cost  time.Duration `json:"cost"`  // the one of the two that figures are made of
}

func (c *clock) spent(from, to usage) spent {
	wall, steal := to.wall-from.wall, to.steal-from.steal
	s := spent{
		CPUs:  c.cpus,
		Wall:  wall,
		Busy:  max(time.Duration(c.cpus)*wall-(to.idle-from.idle)-steal, to.tasks-from.tasks),
		Steal: steal,
		Tasks: to.tasks - from.tasks,
		Own:   to.own - from.own,
	}
	s.Cost = s.Busy
	if c.countOwn {
		s.Cost = s.Own
	}
	return s
}

// plus is what happened in two windows together.
func (s spent) plus(o spent) spent {
	return spent{
		CPUs:  o.CPUs,
		Wall:  s.Wall + o.Wall,
		Busy:  s.Busy + o.Busy,
		Steal: s.Steal + o.Steal,
		Tasks: s.Tasks + o.Tasks,
		Own:   s.Own + o.Own,
		Cost:  s.Cost + o.Cost,
	}
}

// share is d as a share of what all processors could have done.
func (s spent) share(d time.Duration) float64 {
	return d.Seconds() / s.Wall.Seconds() / float64(s.CPUs)
}

// others is the share of the machine that was busy for somebody else: above a few percent the figures are not to be trusted. It
// is 0 where no cgroup tells.
func (s spent) others() float64 { return s.share(s.Tasks - s.Own) }
