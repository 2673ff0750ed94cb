//go:build linux

package cluster

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// saidLines is how many lines that are no progress a watcher keeps for an error.
const saidLines = 20

// A watcher reads what `go install -v` prints and says every few seconds how far it is. Its Write is
// for one goroutine; Close ends its own.
type watcher struct {
	name     string
	progress io.Writer
	began    time.Time
	quit     chan struct{}
	done     sync.WaitGroup

	mu         sync.Mutex // guards the fields below
	rest       []byte     // a line that is not whole
	downloaded int
	compiled   int
	now        string   // what the last line was about
	other      []string // the last lines that were about neither
}

// watch begins to report.
func watch(name string, progress io.Writer) *watcher {
	w := &watcher{name: name, progress: progress, began: time.Now(), quit: make(chan struct{}), now: "looking up the module"}
	w.done.Go(w.report)
	return w
}

func (w *watcher) report() {
	tick := time.NewTicker(reportEvery)
	defer tick.Stop()
	for {
		select {
		case <-w.quit:
			return
		case <-tick.C:
			fmt.Fprintln(w.progress, w.line())
		}
	}
}

func (w *watcher) line() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return fmt.Sprintf("  %s %s: %d modules downloaded, %d packages compiled; now %s",
		w.name, elapsed(w.began), w.downloaded, w.compiled, w.now)
}

// Write takes what go install prints. It never fails.
func (w *watcher) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rest = append(w.rest, p...)
	for {
		line, rest, whole := bytes.Cut(w.rest, []byte("\n"))
		if !whole {
			return len(p), nil
		}
		w.takeLocked(string(line))
		w.rest = rest
	}
}

// takeLocked sorts one line: a download, a package (its import path and nothing else), or else.
func (w *watcher) takeLocked(line string) {
	switch module, download := strings.CutPrefix(line, "go: downloading "); {
	case download:
		w.downloaded++
		w.now = "downloading " + module
	case line != "" && !strings.ContainsAny(line, " :\t"):
		w.compiled++
		w.now = line
	default:
		w.other = append(w.other, line)
		w.other = w.other[max(0, len(w.other)-saidLines):]
	}
}

// said is what was printed besides progress.
func (w *watcher) said() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Join(append(w.other, string(w.rest)), "\n")
}

// Close ends the reports, after a last one.
func (w *watcher) Close() error {
	close(w.quit)
	w.done.Wait()
	_, err := fmt.Fprintln(w.progress, w.line())
	return err
}
