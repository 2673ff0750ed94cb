//go:build linux

package main

import (
	"fmt"
	"math/bits"
	"strings"
	"time"
)

// hist counts durations in buckets of constant relative width, as HDR histograms do: 128 buckets for each power of
// two, so a value read back is at most 0.8 % above what was recorded. The zero value is empty. Not safe for concurrent use.
type hist struct {
	counts [histBuckets]uint64
	n      uint64
}

const (
	histBits    = 7
	histBuckets = (40 - histBits) << histBits // up to 2^39 ns, nine minutes; longer is counted as the last
)

// bucket returns the index of d, and upper the largest duration of a bucket.
func bucket(d time.Duration) int {
	v := uint64(max(d, 0))
	shift := max(bits.Len64(v)-histBits-1, 0)
	return min(shift<<histBits+int(v>>shift), histBuckets-1)
}

func upper(i int) time.Duration {
	shift := max(i>>histBits-1, 0)
	return time.Duration((uint64(i-shift<<histBits)+1)<<shift - 1)
}

func (h *hist) record(d time.Duration) {
	h.counts[bucket(d)]++
	h.n++
}

// merge adds what o has counted.
func (h *hist) merge(o *hist) {
	for i, c := range o.counts {
		h.counts[i] += c
	}
	h.n += o.n
}

// quantile returns a duration that a share q of all that was recorded does not exceed; 0 when nothing was.
func (h *hist) quantile(q float64) time.Duration {
	rank := max(uint64(q*float64(h.n)+0.5), 1)
	var seen uint64
	for i, c := range h.counts {
		if seen += c; seen >= rank {
			return upper(i)
		}
	}
	return 0
}

// each calls f for every bucket that holds something, with its upper end in ns and the share of all values up to it.
func (h *hist) each(f func(ns, share float64)) {
	var seen uint64
	for i, c := range h.counts {
		if c > 0 {
			seen += c
			f(float64(upper(i)), float64(seen)/float64(h.n))
		}
	}
}

// MarshalText writes the index and the count of every bucket that is not empty.
func (h *hist) MarshalText() ([]byte, error) {
	var b []byte
	for i, c := range h.counts {
		if c > 0 {
			b = fmt.Appendf(b, "%d:%d ", i, c)
		}
	}
	return b, nil
}

// UnmarshalText reads what MarshalText wrote.
func (h *hist) UnmarshalText(b []byte) error {
	*h = hist{}
	for pair := range strings.FieldsSeq(string(b)) {
		var i int
		var c uint64
		if _, err := fmt.Sscanf(pair, "%d:%d", &i, &c); err != nil || i < 0 || i >= histBuckets {
			return fmt.Errorf("histogram: %q is not a bucket and its count", pair)
		}
		h.counts[i] += c
		h.n += c
	}
	return nil
}
