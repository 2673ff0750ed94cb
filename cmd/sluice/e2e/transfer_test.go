//go:build e2e && linux

package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/sluicelb/sluice/cmd/internal/cluster"
)

// A transfer is one upload or download on one connection, slow enough for things to happen to it.
type transfer struct {
	what  string
	done  chan struct{} // closed at its end
	begun chan struct{} // closed when so many bytes have gone that somebody must take them at the other end
	half  chan struct{} // closed when half of the bytes have gone

	// Readable once done is closed.
	node *cluster.Node
	err  error
}

const (
	transferSize = 24 << 20
	transferTime = 8 * time.Second
)

// upload begins to put an object with a single request.
func (s *stage) upload(t *testing.T, client *minio.Client, bucket, object string, body []byte) *transfer {
	t.Helper()
	url, err := client.PresignedPutObject(t.Context(), bucket, object, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	x := newTransfer("upload of " + object)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, url.String(), x.pace(bytes.NewReader(body)))
	if err != nil {
		t.Fatal(err)
	}
	req.ContentLength = int64(len(body))
	s.begin(t, x, req, nil)
	return x
}

// download begins to get an object with a single request, and compares what comes with want.
func (s *stage) download(t *testing.T, client *minio.Client, bucket, object string, want []byte) *transfer {
	t.Helper()
	url, err := client.PresignedGetObject(t.Context(), bucket, object, time.Hour, nil)
	if err != nil {
		t.Fatal(err)
	}
	x := newTransfer("download of " + object)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url.String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	s.begin(t, x, req, want)
	return x
}

func newTransfer(what string) *transfer {
	return &transfer{what: what, done: make(chan struct{}), begun: make(chan struct{}), half: make(chan struct{})}
}

// begin runs the request on a connection of its own, which it closes.
func (s *stage) begin(t *testing.T, x *transfer, req *http.Request, want []byte) {
	tr := s.transport(t)
	tr.DisableKeepAlives = true
	go func() {
		defer close(x.done)
		resp, err := tr.RoundTrip(req)
		if err != nil {
			x.err = err
			return
		}
		defer resp.Body.Close()
		if x.node, x.err = s.nodeOf(resp); x.err != nil {
			return
		}
		x.err = x.check(resp, want)
	}()
}

// check reads the response, slowly if it is a download, and compares it.
func (x *transfer) check(resp *http.Response, want []byte) error {
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
		return fmt.Errorf("status %s: %s", resp.Status, text)
	}
	if want == nil {
		return nil
	}
	sum := sha256.New()
	n, err := io.Copy(sum, x.pace(resp.Body))
	if err != nil {
		return fmt.Errorf("after %d bytes: %w", n, err)
	}
	if sha256.Sum256(want) != [sha256.Size]byte(sum.Sum(nil)) {
		return fmt.Errorf("%d bytes came that are not those put, which were %d", n, len(want))
	}
	return nil
}

// wait waits for the end and fails the test if it is not a good one.
func (x *transfer) wait(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*transferTime)
	defer cancel()
	select {
	case <-x.done:
		if x.err != nil {
			t.Errorf("%s: %v", x.what, x.err)
		}
	case <-ctx.Done():
		t.Fatalf("%s has not ended: %v", x.what, ctx.Err())
	}
}

// reach waits for begun or half.
func (x *transfer) reach(t *testing.T, mark <-chan struct{}) {
	t.Helper()
	select {
	case <-mark:
	case <-x.done:
		t.Fatalf("%s ended too early: %v", x.what, x.err)
	}
}

// running fails the test if the transfer has ended.
func (x *transfer) running(t *testing.T) {
	t.Helper()
	select {
	case <-x.done:
		t.Errorf("%s has ended before what was to happen during it: %v", x.what, x.err)
	default:
	}
}

// pace lets through so much at a time that transferSize bytes take transferTime.
func (x *transfer) pace(r io.Reader) io.Reader {
	return &paced{
		r: r, started: time.Now(),
		begun: sync.OnceFunc(func() { close(x.begun) }),
		half:  sync.OnceFunc(func() { close(x.half) }),
	}
}

type paced struct {
	r           io.Reader
	started     time.Time
	bytes       int64
	begun, half func()
}

// Read implements io.Reader.
func (p *paced) Read(b []byte) (int, error) {
	const step = 256 << 10
	due := time.Duration(float64(p.bytes) / transferSize * float64(transferTime))
	time.Sleep(time.Until(p.started.Add(due)))
	n, err := p.r.Read(b[:min(len(b), step)])
	p.bytes += int64(n)
	if p.bytes >= transferSize/12 {
		p.begun()
	}
	if p.bytes >= transferSize/2 {
		p.half()
	}
	return n, err
}
