//go:build e2e && linux

package e2e

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/sluicelb/sluice/cmd/internal/cluster"
)

const (
	loadWorkers = 8
	loadSize    = 256 << 10
)

// An outcome is what became of one request of a load.
type outcome struct {
	method         string
	node           *cluster.Node // at the other end of its connection; nil if nothing ever came from there
	started, ended time.Time
	err            error
	answered       int    // status of the S3 error that a node answered with; 0: the connection failed
	code           string // of that error
}

// String is a line for the log of a test.
func (o outcome) String() string {
	return fmt.Sprintf("%s on a connection to %s, after %.2f s: %v", o.method, o.nodeName(), o.ended.Sub(o.started).Seconds(), o.err)
}

func (o outcome) nodeName() string {
	if o.node == nil {
		return "an unknown node"
	}
	return o.node.Name
}

// A load is workers that put and get objects until it is stopped, and remember every outcome.
type load struct {
	stop context.CancelFunc
	done sync.WaitGroup

	mu       sync.Mutex // guards the fields below
	outcomes []outcome
}

// startLoad starts the workers, each with a client of its own; attempts is how often the client tries
// each request (0: minio-go's default). Half of them keep their connections, half open one for every
// request. It ends with the test at the latest.
func (s *stage) startLoad(t *testing.T, attempts int) *load {
	t.Helper()
	name := s.bucket(t, "load")
	ctx, cancel := context.WithCancel(t.Context())
	l := &load{stop: cancel}
	for i := range loadWorkers {
		tr := s.transport(t)
		tr.DisableKeepAlives = i%2 == 1
		tr.DialContext = dialPatient
		w := &witness{stage: s, transport: tr, nodes: map[string]*cluster.Node{}}
		client := s.s3Client(t, w, attempts)
		l.done.Go(func() { l.work(ctx, client, w, name, fmt.Sprintf("object-%d", i)) })
	}
	t.Cleanup(func() { l.end() })
	return l
}

// work puts an object and gets it again, over and over.
func (l *load) work(ctx context.Context, client *minio.Client, w *witness, bucket, object string) {
	body := make([]byte, loadSize)
	rand.Read(body)
	for ctx.Err() == nil {
		l.record(ctx, w, http.MethodPut, func() error {
			_, err := client.PutObject(ctx, bucket, object, bytes.NewReader(body), loadSize, minio.PutObjectOptions{})
			return err
		})
		l.record(ctx, w, http.MethodGet, func() error {
			got, err := client.GetObject(ctx, bucket, object, minio.GetObjectOptions{})
			if err != nil {
				return err
			}
			defer got.Close()
			data, err := io.ReadAll(got)
			if err == nil && !bytes.Equal(data, body) {
				err = fmt.Errorf("got %d bytes that are not those put", len(data))
			}
			return err
		})
	}
}

// record makes a request and notes its outcome, unless the load was stopped meanwhile.
func (l *load) record(ctx context.Context, w *witness, method string, request func() error) {
	o := outcome{method: method, started: time.Now()}
	o.err = request()
	o.ended = time.Now()
	o.node = w.last()
	answer := minio.ToErrorResponse(o.err)
	o.answered, o.code = answer.StatusCode, answer.Code
	if ctx.Err() != nil {
		return
	}
	l.mu.Lock()
	l.outcomes = append(l.outcomes, o)
	l.mu.Unlock()
}

// end stops the workers, waits for them and returns every outcome.
func (l *load) end() []outcome {
	l.stop()
	l.done.Wait()
	return l.so()
}

// so is what became of the requests so far.
func (l *load) so() []outcome {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.outcomes)
}

// waitServed waits until every node of want has answered some requests that began after since.
func (l *load) waitServed(t *testing.T, want []*cluster.Node, since time.Time, bound time.Duration) {
	t.Helper()
	const some = 5
	for deadline := time.Now().Add(bound); ; time.Sleep(50 * time.Millisecond) {
		served := map[*cluster.Node]int{}
		for _, o := range l.so() {
			if o.err == nil && o.started.After(since) {
				served[o.node]++
			}
		}
		lacks := slices.IndexFunc(want, func(n *cluster.Node) bool { return served[n] < some })
		if lacks < 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s has not answered %d requests within %s", want[lacks].Name, some, bound)
		}
	}
}

// A witness is the transport of one worker that notes which node is at the other end of each of its
// connections: the one whose answers come over it.
type witness struct {
	stage     *stage
	transport *http.Transport

	mu    sync.Mutex // guards the fields below
	nodes map[string]*cluster.Node
	local string // the connection of the last request, by its address on this side
}

// RoundTrip implements http.RoundTripper.
func (w *witness) RoundTrip(req *http.Request) (*http.Response, error) {
	var local string
	ctx := httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) {
			w.mu.Lock()
			defer w.mu.Unlock()
			local = info.Conn.LocalAddr().String()
			if !info.Reused { // the port may have been another connection's
				delete(w.nodes, local)
			}
			w.local = local
		},
	})
	resp, err := w.transport.RoundTrip(req.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	n, err := w.stage.nodeOf(resp)
	if err != nil {
		resp.Body.Close()
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.nodes[local] = n
	return resp, nil
}

// last is the node of the last request's connection, nil if it is not known.
func (w *witness) last() *cluster.Node {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.nodes[w.local]
}
