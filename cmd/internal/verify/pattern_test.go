package verify

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"testing"
)

func TestPatternIsOneObject(t *testing.T) {
	const size = 100_003
	p, err := newPattern(size)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := io.ReadAll(p.section(0, size))
	if err != nil || len(whole) != size {
		t.Fatalf("got %d bytes, error %v, want %d", len(whole), err, size)
	}
	for _, tt := range []struct{ off, n int64 }{{0, 1}, {1, 1}, {15, 2}, {16, 16}, {17, 1000}, {4096, 65536}, {size - 1, 1}, {size - 3, 3}} {
		got, err := io.ReadAll(p.section(tt.off, tt.n))
		if err != nil || !bytes.Equal(got, whole[tt.off:tt.off+tt.n]) {
			t.Errorf("%d bytes from %d: got %d, error %v, want those of the whole", tt.n, tt.off, len(got), err)
		}
	}
	if n, err := p.ReadAt(make([]byte, 10), size); n != 0 || err != io.EOF {
		t.Errorf("behind the end: got %d, %v, want EOF", n, err)
	}
	q, err := newPattern(size)
	if err != nil {
		t.Fatal(err)
	}
	if other, _ := io.ReadAll(q.section(0, size)); bytes.Equal(other, whole) {
		t.Error("two patterns are the same")
	}
	if blank := make([]byte, 64); bytes.Contains(whole, blank) {
		t.Error("64 zero bytes in a row")
	}
}

func TestCompare(t *testing.T) {
	const size = 300_000 // more than one buffer
	p, err := newPattern(size)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := io.ReadAll(p.section(0, size))
	if err != nil {
		t.Fatal(err)
	}
	var last int64
	sum, err := p.compare(bytes.NewReader(whole), 0, size, func(n int64) { last = n })
	if want := sha256.Sum256(whole); err != nil || sum != hex.EncodeToString(want[:]) || last != size {
		t.Errorf("got %s, error %v, %d bytes, want %x", sum, err, last, want)
	}
	if _, err := p.compare(bytes.NewReader(whole[100:200]), 100, 100, func(int64) {}); err != nil {
		t.Errorf("a part: %v", err)
	}
	for _, at := range []int{0, 1, 262_143, 262_144, size - 1} {
		bad := bytes.Clone(whole)
		bad[at] ^= 1
		_, err := p.compare(bytes.NewReader(bad), 0, size, func(int64) {})
		if d, ok := errors.AsType[differs](err); !ok || d.at != int64(at) {
			t.Errorf("bit flipped at %d: got %v", at, err)
		}
	}
	for name, r := range map[string]io.Reader{
		"empty": bytes.NewReader(nil), "short": bytes.NewReader(whole[:size-1]),
		"long": io.MultiReader(bytes.NewReader(whole), bytes.NewReader([]byte{0})),
	} {
		if _, err := p.compare(r, 0, size, func(int64) {}); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
}

func TestPartSize(t *testing.T) {
	const mib, gib = int64(1 << 20), int64(1 << 30)
	for object, want := range map[int64]int64{
		0: 5 * mib, 12 * mib: 5 * mib, 64 * mib: 16 * mib, 100 * gib: 16 * mib, 1000 * gib: 112 * mib,
	} {
		got := partSize(object)
		if got != want {
			t.Errorf("%d MiB: got parts of %d MiB, want %d", object/mib, got/mib, want/mib)
		}
		if parts := (object + got - 1) / got; parts > 10_000 {
			t.Errorf("%d MiB: %d parts", object/mib, parts)
		}
	}
}
