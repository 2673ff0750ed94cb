//go:build e2e && linux

package e2e

import (
	"context"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"math/rand/v2"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluicelb/sluice/cmd/internal/need"
)

const (
	bigSize     = 3 << 30
	bigSizeEdge = 1 << 29 // where TLS ends at the balancer: it is the peak that may differ there
	// peakBound is what the balancer may hold at most. HAProxy held 21 MB in a measurement of the same
	// transfers; a balancer that buffers objects or parts of them holds hundreds.
	peakBound = 64 << 20
	// bigFree is the room the object takes with two of four parts parity, twice: what mc removes stays
	// on disk for minutes.
	bigFree = 2 * 2 * bigSize
	// bigBound is for one direction; 45 s is what it took on two busy cores.
	bigBound = 6 * time.Minute
)

// testBigObject streams a large object up and down with mc. The bytes are the same, and the
// balancer holds none of them.
func testBigObject(t *testing.T, s *stage) {
	size := int64(bigSize)
	if s.mode.ends() {
		size = bigSizeEdge
	}
	roomFor(t, s.cluster.Dir, bigFree)
	b := s.balance(t, settings{balance: "leastconn"})
	mc := s.mcClient(t)
	mcRun(t, mc, "mb", "--ignore-existing", "lb/big")
	t.Cleanup(func() { mcRun(t, mc, "rb", "--force", "lb/big") })

	sent := newStream(size)
	pipe := mc.Command("pipe", "--quiet", "lb/big/object")
	pipe.Stdin = sent
	took := stream(t, "mc pipe", pipe)
	t.Logf("up:   %d MiB in %.1f s", size>>20, took.Seconds())

	received := &counter{hash: sha256.New()}
	cat := mc.Command("cat", "--quiet", "lb/big/object")
	cat.Stdout = received
	took = stream(t, "mc cat", cat)
	t.Logf("down: %d MiB in %.1f s", size>>20, took.Seconds())

	if got, want := fmt.Sprintf("%d bytes, sha256 %x", received.bytes, received.hash.Sum(nil)),
		fmt.Sprintf("%d bytes, sha256 %x", size, sent.hash.Sum(nil)); got != want {
		t.Errorf("received %s, want what was sent: %s", got, want)
	}
	peak, err := b.PeakRSS()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the balancer held %.1f MiB at most", float64(peak)/(1<<20))
	if peak > peakBound {
		t.Errorf("the balancer held %d bytes, want at most %d", peak, peakBound)
	}
}

// stream runs an mc to its end and returns how long that took.
func stream(t *testing.T, name string, cmd *exec.Cmd) time.Duration {
	t.Helper()
	var said strings.Builder
	cmd.Stderr = &said
	if cmd.Stdout == nil {
		cmd.Stdout = &said
	}
	ctx, cancel := context.WithTimeout(t.Context(), bigBound)
	defer cancel()
	began := time.Now()
	p, err := launcher.Start(name, cmd)
	if err != nil {
		t.Fatal(err)
	}
	code, err := p.Wait(ctx)
	p.Kill()
	if err != nil || code != 0 {
		t.Fatalf("%s: exit status %d, %v; it said %s", name, code, err, said.String())
	}
	return time.Since(began)
}

// A streamed is bytes that nobody can guess or compress, made as they are read and hashed on the way.
type streamed struct {
	io.Reader
	hash hash.Hash
}

func newStream(size int64) *streamed {
	s := &streamed{hash: sha256.New()}
	s.Reader = io.TeeReader(io.LimitReader(rand.NewChaCha8([32]byte{}), size), s.hash)
	return s
}

// A counter hashes and counts what it is given, and keeps nothing of it.
type counter struct {
	hash  hash.Hash
	bytes int64
}

func (c *counter) Write(p []byte) (int, error) {
	c.bytes += int64(len(p))
	return c.hash.Write(p)
}

// roomFor ends the test if the disk under dir has no room.
func roomFor(t *testing.T, dir string, bytes uint64) {
	t.Helper()
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		t.Fatal(err)
	}
	if free := fs.Bavail * uint64(fs.Bsize); free < bytes {
		need.Missing(t, "needs %d GiB of disk under %s, there are %d", bytes>>30, dir, free>>30)
	}
}
