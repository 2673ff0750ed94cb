//go:build linux

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// child is a process of the benchmark's own: this binary, run again as a node or as a load. They talk in lines: the
// parent writes a spec in JSON, the child says ready once it has warmed up, and then
//
//	a load: the parent writes go, the child works and writes its result
//	a node, or a load in the background: it works from the start; when its input ends it writes its result
type child struct {
	name   string
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *os.File
	lines  *bufio.Reader
	stderr bytes.Buffer
}

// Hidden subcommands of the bench binary.
const (
	cmdNode   = "_node"
	cmdLoad   = "_load"
	cmdIOCopy = "_iocopy"
	cmdExec   = "_exec"
)

// startChild starts this binary as kind and waits until it is ready.
func startChild(kind, name string, spec any, patience time.Duration) (*child, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &child{name: name, cmd: exec.Command(exe, kind)}
	// A load allocates nothing while it works, and what it allocates before is small: no collector, no preemption
	// signals, so that the process costs the same next to every peer.
	c.cmd.Env = []string{"GOGC=off", "GOMEMLIMIT=1GiB", "GODEBUG=asyncpreemptoff=1", "GOMAXPROCS=1"}
	c.cmd.Stderr = &c.stderr
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.out = out.(*os.File)
	c.lines = bufio.NewReader(out)
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	if err := json.NewEncoder(c.in).Encode(spec); err != nil {
		c.kill()
		return nil, c.wrap(err)
	}
	if line, err := c.line(patience); err != nil || line != "ready" {
		c.kill()
		return nil, c.wrap(fmt.Errorf("not ready: %q: %w", line, err))
	}
	return c, nil
}

// line reads one line that has to come in time.
func (c *child) line(patience time.Duration) (string, error) {
	_ = c.out.SetReadDeadline(time.Now().Add(patience))
	line, err := c.lines.ReadString('\n')
	return strings.TrimSuffix(line, "\n"), err
}

// run lets a load work and reads its result into v.
func (c *child) run(v any, patience time.Duration) error {
	if _, err := io.WriteString(c.in, "go\n"); err != nil {
		return c.wrap(err)
	}
	return c.result(v, patience)
}

// stop ends a child that works in the background and reads its result into v.
func (c *child) stop(v any, patience time.Duration) error {
	if err := c.in.Close(); err != nil {
		return c.wrap(err)
	}
	return c.result(v, patience)
}

func (c *child) result(v any, patience time.Duration) error {
	line, err := c.line(patience)
	if err != nil {
		return c.wrap(err)
	}
	return c.wrap(json.Unmarshal([]byte(line), v))
}

// kill ends the process, if it still runs, and waits for it. It may be called more than once.
func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	_ = c.cmd.Wait()
}

// wrap adds the child's name and what it complained of.
func (c *child) wrap(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, io.EOF) {
		err = errors.New("ended early")
		c.kill() // the end of its stderr is only sure after Wait
	}
	if s := strings.TrimSpace(c.stderr.String()); s != "" {
		return fmt.Errorf("%s: %w: %s", c.name, err, s)
	}
	return fmt.Errorf("%s: %w", c.name, err)
}

// runChild is the other end: the process that startChild started.
func runChild(kind string, stdin io.Reader, stdout io.Writer) error {
	orders := bufio.NewReader(stdin)
	line, err := orders.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("read the spec: %w", err)
	}
	ready := func() { fmt.Fprintln(stdout, "ready") }
	var result any
	switch kind {
	case cmdNode:
		var spec nodeSpec
		if err = json.Unmarshal(line, &spec); err == nil {
			result, err = runNode(spec, orders, ready)
		}
	case cmdLoad:
		var spec loadSpec
		if err = json.Unmarshal(line, &spec); err == nil {
			result, err = runLoad(spec, orders, ready)
		}
	}
	if err != nil {
		return err
	}
	return json.NewEncoder(stdout).Encode(result)
}
