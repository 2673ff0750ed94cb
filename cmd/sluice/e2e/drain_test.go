//go:build e2e && linux

package e2e

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"syscall"
	"testing"
	"time"
)

// testDrain ends the balancer in the middle of an upload. The upload finishes, nobody new gets in, and
// the process ends well and early.
func testDrain(t *testing.T, s *stage) {
	const drain = time.Minute
	b := s.balance(t, settings{balance: "leastconn", drain: drain})
	client := s.s3Client(t, s.transport(t), 0)
	name := s.bucket(t, "drain")

	body := randomBytes(transferSize)
	x := s.upload(t, client, name, "object", body)
	x.reach(t, x.half)
	if err := b.Drain(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	for !refused(t) {
		if time.Since(began) > refuseBound {
			t.Fatal("new connections are not refused while draining")
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Logf("new connections were refused after %s", time.Since(began).Round(time.Millisecond))
	x.running(t)
	x.wait(t)
	if !refused(t) {
		t.Error("new connections were taken again")
	}

	ctx, cancel := context.WithTimeout(t.Context(), drain/2) // well before the end of the drain
	defer cancel()
	code, err := b.Process().Wait(ctx)
	if err != nil || code != 0 {
		t.Errorf("the balancer ended with exit code %d, %v; want 0", code, err)
	}

	// What was put is whole, as another balancer shows.
	s.balance(t, settings{balance: "leastconn"})
	s.download(t, client, name, "object", body).wait(t)
}

// refuseBound is for new connections to be refused. A balancer that does not want to lose those who
// wait in its queue lets no further SYN in before it closes the socket: who sent one gets no answer, and
// is refused with the next, a second later.
const refuseBound = 3 * time.Second

// refused says whether new connections are refused outright, as opposed to taken or left hanging.
func refused(t *testing.T) bool {
	t.Helper()
	conn, err := net.DialTimeout("tcp", block.BalancerS3().String(), refuseBound)
	if err == nil {
		conn.Close()
		return false
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a new connection: got %v, want it refused", err)
	}
	return true
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{byte(n)}).Read(b)
	return b
}
