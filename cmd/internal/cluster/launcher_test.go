//go:build linux

package cluster

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain lets the test binary stand in for a process that uses a launcher and is then killed.
func TestMain(m *testing.M) {
	if os.Getenv("CLUSTER_TEST_PARENT") == "" {
		os.Exit(m.Run())
	}
	p, err := NewLauncher().Start("sleep", exec.Command("sleep", "1000"))
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(p.PID())
	<-p.Exited()
}

// ended says whether a process is gone or only waits to be reaped by somebody.
func ended(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true
	}
	_, state, _ := strings.Cut(string(stat), ") ") // proc_pid_stat(5): the state follows the name
	return state[0] == 'Z' || state[0] == 'X'
}

func waitEnded(t *testing.T, pid int) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ended(pid); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("process %d still runs", pid)
		}
	}
}

func TestProcessDiesWithItsParent(t *testing.T) {
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), "CLUSTER_TEST_PARENT=1")
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 16)
	n, err := out.Read(line)
	if err != nil {
		t.Fatalf("no process id from the parent: %v", err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(line[:n])))
	if err != nil {
		t.Fatalf("the parent said %q", line[:n])
	}
	if ended(pid) {
		t.Fatalf("process %d ended before its parent was killed", pid)
	}
	if err := parent.Process.Kill(); err != nil { // SIGKILL: it cannot clean up
		t.Fatal(err)
	}
	_ = parent.Wait()
	waitEnded(t, pid)
}

func TestCloseKillsWholeGroups(t *testing.T) {
	l := NewLauncher()
	defer l.Close()
	// A shell that ignores the polite signals, with a child of its own, stopped.
	cmd := exec.Command("sh", "-c", `trap "" TERM INT HUP; sleep 1000 & echo $!; wait`)
	r, w := io.Pipe()
	cmd.Stdout = w
	p, err := l.Start("shell", cmd)
	if err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 16)
	n, err := r.Read(line)
	if err != nil {
		t.Fatal(err)
	}
	child, err := strconv.Atoi(strings.TrimSpace(string(line[:n])))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	l.Close()
	waitEnded(t, p.PID())
	waitEnded(t, child)

	if err := p.Signal(syscall.SIGTERM); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("signal to a process that has ended: got %v, want os.ErrProcessDone", err)
	}
	if _, err := l.Start("late", exec.Command("true")); !errors.Is(err, ErrLauncherClosed) {
		t.Errorf("start after close: got %v, want ErrLauncherClosed", err)
	}
}

func TestWaitTellsExitFromSignal(t *testing.T) {
	l := NewLauncher()
	defer l.Close()
	tests := []struct {
		script   string
		wantCode int
		wantErr  bool
	}{
		{"exit 0", 0, false},
		{"exit 3", 3, false},
		{"kill -9 $$", 0, true},
	}
	for _, tt := range tests {
		t.Run(tt.script, func(t *testing.T) {
			p, err := l.Start("sh", exec.Command("sh", "-c", tt.script))
			if err != nil {
				t.Fatal(err)
			}
			code, err := p.Wait(t.Context())
			if code != tt.wantCode || (err != nil) != tt.wantErr {
				t.Errorf("got %d, %v; want %d, error %v", code, err, tt.wantCode, tt.wantErr)
			}
		})
	}
}

func TestPeakRSS(t *testing.T) {
	l := NewLauncher()
	defer l.Close()
	p, err := l.Start("sleep", exec.Command("sleep", "1000"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.PeakRSS()
	if err != nil || got < 1<<12 || got > 1<<28 {
		t.Errorf("got %d bytes, %v; want what a small process takes", got, err)
	}
}
