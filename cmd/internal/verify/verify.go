// Package verify asks a MinIO or AIStor cluster behind a balancer for everything that clients will ask
// of it, from the TCP connection to the WebSocket of the Console, and says for each step that fails
// what is likely wrong and what to do.
//
//	report := verify.Run(ctx, verify.Options{URL: url}, verify.Watcher{End: print})
//	if !report.Passed() { ... }
//
// It goes the way of a client: it knows nothing of the balancer and asks no node directly. What it
// stores, it stores under names of its own and removes again, also after a failure or an interrupt.
package verify

import (
	"context"
	"crypto/x509"
	"net/netip"
	"net/url"
	"slices"
	"time"
)

// Options says what to verify.
type Options struct {
	URL     *url.URL // the S3 address: http or https, no path
	Console *url.URL // nil: where the S3 address sends browsers

	Resolve  netip.Addr     // go there, whatever the names resolve to; the zero Addr: resolve them
	Roots    *x509.CertPool // whom to trust; nil: whom the system trusts
	Insecure bool           // trust everybody; what is wrong with a certificate is said all the same

	// AccessKey and SecretKey allow the steps that need them. If either is empty, they are skipped.
	AccessKey, SecretKey string

	Bucket string // an existing one to work in, below a prefix of its own; "": a temporary one
	Size   int64  // bytes of the object that goes up and down
}

// Status is how a step ended.
type Status string

const (
	Passed  Status = "passed"
	Failed  Status = "failed"
	Skipped Status = "skipped" // it could not be asked; neither good nor bad
)

// Step is one thing that was asked, and how it went.
type Step struct {
	Name   string
	Status Status
	Took   time.Duration
	Detail string // what was seen
	Advice string // what to do; of a failure always, of a success where there is something to know
}

// Watcher is told of the steps while they run, by one goroutine at a time but for Progress. Nil funcs
// are allowed.
type Watcher struct {
	Begin    func(name string)
	Progress func(done, total int64) // bytes of the step that runs; from any goroutine
	End      func(Step)
}

// Report is all steps, in the order in which they were asked.
type Report struct {
	Steps []Step
	Nodes []string // the different X-Amz-Id-2 that were seen: one for each MinIO node
}

// Passed tells whether no step failed. Steps that were skipped do not count either way.
func (r *Report) Passed() bool { return len(r.With(Failed)) == 0 }

// With returns the steps that ended so.
func (r *Report) With(s Status) (steps []Step) {
	for _, step := range r.Steps {
		if step.Status == s {
			steps = append(steps, step)
		}
	}
	return steps
}

// Time bounds of the steps. Those that move the object have none as long as it moves.
const (
	stepTimeout    = 10 * time.Second
	clusterTimeout = 15 * time.Second // a node gives the others 10 s to answer (MINIO_API_CLUSTER_DEADLINE)
	stallTimeout   = 30 * time.Second // without a byte
	cleanTimeout   = 30 * time.Second
)

// Run asks everything, one step after the other, and returns when the last has ended. Cancelling ctx
// makes the steps that are left fail, except the one that removes what was stored.
func Run(ctx context.Context, o Options, w Watcher) *Report {
	r := newRunner(ctx, o, w)
	defer r.transport.CloseIdleConnections()

	answers := r.reach("s3", o.URL)
	if answers {
		r.health()
		r.objects()
	} else {
		r.skip("the S3 address cannot be used", slices.Concat(healthSteps, objectSteps)...)
	}
	r.console(answers)
	return r.finish()
}
