package pool

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"
)

func TestClassifyDial(t *testing.T) {
	_, real := net.Dial("tcp", closedAddr(t))
	tests := []struct {
		err  error
		want DialResult
	}{
		{nil, DialOK},
		{real, DialRefused},
		{syscall.ECONNREFUSED, DialRefused},
		{fmt.Errorf("dial node: %w", errRefused), DialRefused},
		{context.DeadlineExceeded, DialTimeout},
		{os.ErrDeadlineExceeded, DialTimeout},
		{syscall.ETIMEDOUT, DialTimeout},
		{&net.DNSError{IsTimeout: true}, DialTimeout},
		{syscall.EHOSTUNREACH, DialUnreachable},
		{syscall.ENETUNREACH, DialUnreachable},
		{syscall.EMFILE, DialLocal},
		{syscall.EADDRNOTAVAIL, DialLocal},
		{syscall.EPERM, DialLocal},
		{context.Canceled, DialCanceled},
		{net.ErrClosed, DialCanceled},
		{syscall.ECONNRESET, DialError},
		{errors.New("tls: bad certificate"), DialError},
	}
	for _, tt := range tests {
		if got := ClassifyDial(tt.err); got != tt.want {
			t.Errorf("ClassifyDial(%v) = %v, want %v", tt.err, got, tt.want)
		}
	}
}

func TestDialTimes(t *testing.T) {
	p := newTestPool(t, poolConfig(one))
	n := p.Nodes()[0]
	for _, d := range []time.Duration{50 * time.Microsecond, 100 * time.Microsecond, 3 * time.Millisecond, time.Minute} {
		n.Dialed(nil, d)
	}
	n.Dialed(errRefused, time.Hour) // only successes
	h := n.Stats().DialTimes
	if len(h.Counts) != len(h.Bounds)+1 || h.Counts[0] != 2 || h.Counts[5] != 1 || h.Counts[len(h.Bounds)] != 1 {
		t.Errorf("histogram %v", h.Counts)
	}
	if h.Sum < 60.003 || h.Sum > 60.004 {
		t.Errorf("sum %v", h.Sum)
	}
	if !slices.IsSorted(h.Bounds) {
		t.Error("bounds are not sorted")
	}
}

// closedAddr is an address on this machine where nobody listens.
func closedAddr(t testing.TB) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}
