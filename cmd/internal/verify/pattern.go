package verify

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
)

// pattern is an object that is nowhere: every byte is computed from its offset, in no order that a
// compressor or a cache could make use of. So it can be of any size and be read from several places at
// once, which is how a multipart upload reads. It may be used concurrently.
type pattern struct {
	size  int64
	block cipher.Block // keyed anew for each pattern, so that an old object is never taken for this one
}

func newPattern(size int64) (*pattern, error) {
	key := make([]byte, 16)
	rand.Read(key)
	block, err := aes.NewCipher(key)
	return &pattern{size: size, block: block}, err
}

// ReadAt implements io.ReaderAt: AES in counter mode, the counter being the number of the 16 bytes.
func (p *pattern) ReadAt(b []byte, off int64) (n int, err error) {
	if off >= p.size {
		return 0, io.EOF
	}
	if rest := p.size - off; int64(len(b)) >= rest {
		b, err = b[:rest], io.EOF
	}
	var counter, skipped [aes.BlockSize]byte
	binary.BigEndian.PutUint64(counter[8:], uint64(off/aes.BlockSize))
	stream := cipher.NewCTR(p.block, counter[:])
	skip := skipped[:off%aes.BlockSize]
	stream.XORKeyStream(skip, skip)
	clear(b)
	stream.XORKeyStream(b, b)
	return len(b), err
}

// section reads n bytes from an offset on.
func (p *pattern) section(off, n int64) io.Reader { return io.NewSectionReader(p, off, n) }

// differs is what came back that had not been sent.
type differs struct{ at int64 }

func (d differs) Error() string { return fmt.Sprintf("byte %d differs from what was sent", d.at) }

// ended is a stream that was shorter than what was sent.
type ended struct{ at, of int64 }

func (e ended) Error() string { return fmt.Sprintf("it ended after %d of %d bytes", e.at, e.of) }

// compare reads got to its end, which must be that of the n bytes from off, and returns their SHA-256
// sum. It tells done how many bytes there have been so far.
func (p *pattern) compare(got io.Reader, off, n int64, done func(int64)) (sum string, err error) {
	const most = 256 << 10
	want, have := make([]byte, most), make([]byte, most)
	hash := sha256.New()
	for at := int64(0); at < n; {
		m, err := io.ReadFull(got, have[:min(most, n-at)])
		if _, perr := p.ReadAt(want[:m], off+at); perr != nil && perr != io.EOF {
			return "", perr
		}
		if i := firstDifference(have[:m], want[:m]); i >= 0 {
			return "", differs{off + at + int64(i)}
		}
		hash.Write(have[:m])
		at += int64(m)
		done(at)
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return "", ended{at, n}
		}
		if err != nil {
			return "", err
		}
	}
	if m, err := io.ReadFull(got, have[:1]); m > 0 || err != io.EOF {
		return "", fmt.Errorf("it goes on after %d bytes, where it should end: %v", n, err)
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

// firstDifference is the index at which two slices of one length differ, or -1.
func firstDifference(a, b []byte) int {
	if bytes.Equal(a, b) {
		return -1
	}
	for i := range a {
		if a[i] != b[i] {
			return i
		}
	}
	return -1
}
