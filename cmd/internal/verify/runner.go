package verify

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// runner runs steps. It belongs to one [Run].
type runner struct {
	ctx       context.Context // of the Run
	o         Options
	w         Watcher
	report    Report
	transport *http.Transport

	mu    sync.Mutex          // guards nodes
	nodes map[string]struct{} // X-Amz-Id-2
}

func newRunner(ctx context.Context, o Options, w Watcher) *runner {
	r := &runner{ctx: ctx, o: o, w: w, nodes: map[string]struct{}{}}
	r.transport = &http.Transport{
		Proxy:               nil, // the way is what is verified
		DialContext:         r.dial,
		TLSClientConfig:     &tls.Config{RootCAs: o.Roots, InsecureSkipVerify: o.Insecure},
		TLSHandshakeTimeout: stepTimeout,
		DisableCompression:  true,
		Protocols:           new(http.Protocols),
		MaxIdleConnsPerHost: 4,
	}
	r.transport.Protocols.SetHTTP1(true) // what S3 speaks, and what a WebSocket begins with
	return r
}

// dial connects to a host of one of the URLs, or to where Options.Resolve says instead.
func (r *runner) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if _, isName := r.resolved(host); isName {
		address = net.JoinHostPort(r.o.Resolve.String(), port)
	}
	d := net.Dialer{Timeout: stepTimeout}
	d.SetMultipathTCP(false)
	return d.DialContext(ctx, network, address)
}

// trouble is a failed step's error with the advice that goes with it.
type trouble struct {
	err    error
	advice string
}

func (t *trouble) Error() string { return t.err.Error() }
func (t *trouble) Unwrap() error { return t.err }

// fail makes a trouble.
func fail(advice, format string, args ...any) error {
	return &trouble{fmt.Errorf(format, args...), advice}
}

// noted is no error: the step passed, and there is something to know.
type noted struct{ advice string }

func (n noted) Error() string { return n.advice }

// unasked is no error either: the step turned out to make no sense.
type unasked struct{ why string }

func (u unasked) Error() string { return u.why }

// step runs one step, tells the Watcher, and returns whether it passed.
func (r *runner) step(name string, limit time.Duration, ask func(ctx context.Context) (detail string, err error)) bool {
	ctx := r.ctx
	if limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, limit, fmt.Errorf("no answer within %v", limit))
		defer cancel()
	}
	if r.w.Begin != nil {
		r.w.Begin(name)
	}
	start := time.Now()
	detail, err := ask(ctx)
	step := outcome(name, detail, withCause(ctx, err))
	step.Took = time.Since(start)
	r.end(step)
	return step.Status == Passed
}

// outcome makes a Step of what a question brought.
func outcome(name, detail string, err error) Step {
	s := Step{Name: name, Status: Passed, Detail: detail}
	if err == nil {
		return s
	}
	if n, ok := errors.AsType[noted](err); ok {
		s.Advice = n.advice
		return s
	}
	if u, ok := errors.AsType[unasked](err); ok {
		s.Status, s.Detail = Skipped, u.why
		return s
	}
	s.Status, s.Detail, s.Advice = Failed, err.Error(), adviceFor(err)
	if t, ok := errors.AsType[*trouble](err); ok {
		s.Advice = t.advice
	}
	return s
}

// withCause says why a context ended, where an error only says that it did.
func withCause(ctx context.Context, err error) error {
	cause := context.Cause(ctx)
	if err == nil || cause == nil || !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if errors.Is(cause, context.Canceled) {
		return fail("Run it again when there is time for all of it.", "interrupted")
	}
	return cause
}

// skip reports steps that are not asked.
func (r *runner) skip(why string, names ...string) {
	for _, name := range names {
		r.end(Step{Name: name, Status: Skipped, Detail: why})
	}
}

func (r *runner) end(s Step) {
	r.report.Steps = append(r.report.Steps, s)
	if r.w.End != nil {
		r.w.End(s)
	}
}

// progress tells the Watcher how far the step that runs has come.
func (r *runner) progress(done, total int64) {
	if r.w.Progress != nil {
		r.w.Progress(done, total)
	}
}

func (r *runner) finish() *Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.Nodes = slices.Sorted(maps.Keys(r.nodes))
	return &r.report
}

// RoundTrip sends a request, and remembers which node answered.
func (r *runner) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := r.transport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if id := resp.Header.Get("X-Amz-Id-2"); id != "" {
		r.mu.Lock()
		if len(r.nodes) < maxNodes {
			r.nodes[id] = struct{}{}
		}
		r.mu.Unlock()
	}
	return resp, nil
}

// maxNodes bounds what a server that makes ids up can make this process remember.
const maxNodes = 4096
