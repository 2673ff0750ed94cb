//go:build e2e && linux

package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"math/big"
	"net"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/sluicelb/sluice/cmd/internal/cluster"
)

const (
	swapRounds = 2
	// swapBound is how long changed files may take to be in use. Sluice looks every second and wants to see
	// the same files twice.
	swapBound = 15 * time.Second
	// badStays is how long files that do not belong together stay: several looks.
	badStays = 4 * time.Second
)

// testCertificates replaces the certificate of the S3 name, over and over and in each way in which people and
// programs do it: under a load of minio-go, which does not try again, and of mc, and first of all while slow
// transfers go on. New connections see the new one; no request and no transfer fails. Files that do not belong
// together change nothing.
func testCertificates(t *testing.T, s *stage) {
	b := s.balance(t, settings{balance: "leastconn"})
	client := s.s3Client(t, s.transport(t), 0)
	name := s.bucket(t, "certificates")
	body := randomBytes(transferSize)
	s.upload(t, client, name, "there", body).wait(t)

	up, down := s.upload(t, client, name, "up", body), s.download(t, client, name, "there", body)
	up.reach(t, up.begun)
	down.reach(t, down.begun)
	l := s.startLoad(t, 1)
	mc := s.startMC(t, "lb/"+name+"/mc")

	c := s.shown
	swaps := 0
	for range swapRounds {
		for _, way := range []struct {
			name string
			swap func(string) error
		}{
			{"written in place", c.rewrite},
			{"renamed", c.rename},
			{"a link changed", c.relink},
		} {
			if err := way.swap(s3Name); err != nil {
				t.Fatal(err)
			}
			want := readCertificate(t, s.certificate(s3Name)).SerialNumber
			began := time.Now()
			for s.serial(t).Cmp(want) != 0 {
				if time.Since(began) > swapBound {
					t.Fatalf("%s: the new certificate is not in use after %s", way.name, swapBound)
				}
				time.Sleep(100 * time.Millisecond)
			}
			if swaps++; swaps == 1 {
				up.running(t)
				down.running(t)
			}
		}
	}
	up.wait(t)
	down.wait(t)

	before := s.serial(t)
	if err := c.spoil(s3Name); err != nil {
		t.Fatal(err)
	}
	for began := time.Now(); time.Since(began) < badStays; time.Sleep(200 * time.Millisecond) {
		if now := s.serial(t); now.Cmp(before) != 0 {
			t.Fatalf("with a bad file in place the certificate changed from serial %x to %x", before, now)
		}
	}

	outcomes := l.end()
	runs := mc.end()
	if len(outcomes) == 0 || runs == 0 {
		t.Errorf("%d requests and %d runs of mc: there was no load", len(outcomes), runs)
	}
	for _, o := range outcomes {
		if o.err != nil && !o.isMinIOs() {
			t.Errorf("failed: %s", o)
		}
	}
	for _, err := range mc.failed {
		t.Errorf("mc failed: %v", err)
	}
	logMinIOs(t, outcomes, outcome.isMinIOs)
	t.Logf("%d certificates, %d requests, %d runs of mc", swaps, len(outcomes), runs)
	if err := c.rewrite(s3Name); err != nil { // as it was found
		t.Fatal(err)
	}
	if peak, err := b.PeakRSS(); err == nil {
		t.Logf("the balancer held %.1f MiB at most", float64(peak)/(1<<20))
	}
}

// An mcLoad is mc, which puts and gets an object in one process after the other until it is stopped.
type mcLoad struct {
	stop context.CancelFunc
	done sync.WaitGroup

	// Readable after end.
	runs   int
	failed []error
}

// startMC starts one. It ends with the test at the latest.
func (s *stage) startMC(t *testing.T, object string) *mcLoad {
	t.Helper()
	mc := s.mcClient(t)
	want := randomBytes(1 << 20)
	ctx, cancel := context.WithCancel(t.Context())
	l := &mcLoad{stop: cancel}
	l.done.Go(func() {
		for ctx.Err() == nil {
			err := putAndGet(ctx, mc, object, want)
			if ctx.Err() != nil {
				return
			}
			if err != nil {
				l.failed = append(l.failed, err)
			}
			l.runs++
		}
	})
	t.Cleanup(func() { l.end() })
	return l
}

// end stops mc and returns how often it ran.
func (l *mcLoad) end() int {
	l.stop()
	l.done.Wait()
	return l.runs
}

// putAndGet runs mc twice.
func putAndGet(ctx context.Context, mc *cluster.Client, object string, body []byte) error {
	pipe := mc.Command("pipe", "--quiet", object)
	pipe.Stdin = bytes.NewReader(body)
	if _, err := output(ctx, pipe); err != nil {
		return fmt.Errorf("mc pipe: %w", err)
	}
	got, err := output(ctx, mc.Command("cat", "--quiet", object))
	if err != nil {
		return fmt.Errorf("mc cat: %w", err)
	}
	if !bytes.Equal(got, body) {
		return fmt.Errorf("mc cat: got %d bytes that are not the %d put", len(got), len(body))
	}
	return nil
}

// output runs a program to its end and returns what it wrote.
func output(ctx context.Context, cmd *exec.Cmd) ([]byte, error) {
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	p, err := launcher.Start(filepath.Base(cmd.Path), cmd)
	if err != nil {
		return nil, err
	}
	code, err := p.Wait(ctx)
	p.Kill()
	if err == nil && code != 0 {
		err = fmt.Errorf("exit status %d; it said %s", code, said.String())
	}
	return out.Bytes(), err
}

// serial is the serial number of the certificate that a new connection sees for the S3 name.
func (s *stage) serial(t *testing.T) *big.Int {
	t.Helper()
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: 5 * time.Second}, "tcp", block.BalancerTLS().String(),
		&tls.Config{ServerName: s3Name, RootCAs: roots(t, s.ca())})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber
}
