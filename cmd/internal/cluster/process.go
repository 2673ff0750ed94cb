//go:build linux

package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// A Process is one child started by a [Launcher]. Its methods are safe for concurrent use.
type Process struct {
	Name string

	cmd    *exec.Cmd
	exited chan struct{} // closed when the process has been waited for
	err    error         // how it ended; readable once exited is closed
}

// PID is the process id, which is the id of its group as well.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Exited is closed when the process has ended.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Signal sends sig to the process and its children. A process that has ended is left alone: its number
// may be somebody else's by now.
func (p *Process) Signal(sig syscall.Signal) error {
	select {
	case <-p.exited:
		return fmt.Errorf("send %s to %s: %w", sig, p.Name, os.ErrProcessDone)
	default:
	}
	if err := syscall.Kill(-p.PID(), sig); err != nil {
		return fmt.Errorf("send %s to %s: %w", sig, p.Name, err)
	}
	return nil
}

// Kill ends the process with SIGKILL and waits until it is gone. One that has ended is left alone.
func (p *Process) Kill() {
	_ = p.Signal(syscall.SIGKILL) // the one error there can be says that it is gone
	<-p.exited
}

// Wait waits for the end and returns the exit code. A process that was ended by a signal is an error,
// as is a context that ends first.
func (p *Process) Wait(ctx context.Context) (code int, err error) {
	select {
	case <-ctx.Done():
		return 0, fmt.Errorf("wait for %s: %w", p.Name, context.Cause(ctx))
	case <-p.exited:
	}
	if p.err == nil {
		return 0, nil
	}
	if exit, ok := errors.AsType[*exec.ExitError](p.err); ok && exit.Exited() {
		return exit.ExitCode(), nil
	}
	return 0, fmt.Errorf("%s ended: %w", p.Name, p.err)
}

// PeakRSS is the largest resident size the process has had; see the function.
func (p *Process) PeakRSS() (int64, error) { return PeakRSS(p.PID()) }

// PeakRSS is the largest resident size that a process has had, in bytes: VmHWM of
// proc_pid_status(5).
func PeakRSS(pid int) (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("no VmHWM in /proc/%d/status", pid)
}

// tailBytes is where [Tail] begins to look: twenty lines of MinIO's or Sluice's log fit several times.
const tailBytes = 16 << 10

// Tail returns the last lines of a log file, or why it cannot.
func Tail(path string, lines int) string {
	f, err := os.Open(path)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	if size, err := f.Seek(0, io.SeekEnd); err == nil {
		_, _ = f.Seek(max(0, size-tailBytes), io.SeekStart)
	}
	text, err := io.ReadAll(io.LimitReader(f, tailBytes))
	if err != nil {
		return err.Error()
	}
	all := bytes.Split(bytes.TrimRight(text, "\n"), []byte("\n"))
	return string(bytes.Join(all[max(0, len(all)-lines):], []byte("\n")))
}
