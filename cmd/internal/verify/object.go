package verify

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// objectSteps are the steps that need keys.
var objectSteps = []string{"buckets", "bucket", "upload", "download", "range", "delete"}

// objects takes an object through its life: up in parts, down in one stream and by a range, away.
func (r *runner) objects() {
	if r.o.AccessKey == "" || r.o.SecretKey == "" {
		r.skip("no keys were given", objectSteps...)
		return
	}
	core, err := minio.NewCore(r.o.URL.Host, &minio.Options{
		Creds:      credentials.NewStaticV4(r.o.AccessKey, r.o.SecretKey, ""),
		Secure:     r.o.URL.Scheme == "https",
		Transport:  r,
		MaxRetries: 1, // what fails is to be seen
	})
	if err != nil {
		r.step("buckets", stepTimeout, func(context.Context) (string, error) { return "", err })
		r.skip("no S3 client", objectSteps[1:]...)
		return
	}
	t := &trip{runner: r, s3: core, bucket: r.o.Bucket}
	if !r.step("buckets", stepTimeout, t.list) {
		r.skip("the keys do not work", objectSteps[1:]...)
		return
	}
	if !r.step("bucket", stepTimeout, t.makeBucket) {
		r.skip("no bucket to work in", "upload", "download", "range")
	} else if !r.step("upload", 0, t.upload) {
		r.skip("nothing was stored", "download", "range")
	} else {
		r.step("download", 0, t.download)
		r.step("range", stepTimeout, t.readRange)
	}
	t.remove()
}

// trip is the life of one object.
type trip struct {
	*runner
	s3      *minio.Core
	bucket  string
	made    bool   // the bucket is ours, and goes at the end
	key     string // "": nothing was stored under it
	version string // of the object, where the bucket keeps versions
	data    *pattern
}

func (t *trip) list(ctx context.Context) (string, error) {
	if t.bucket != "" {
		exists, err := t.s3.BucketExists(ctx, t.bucket)
		if err == nil && !exists {
			err = fail("Make it, or leave --bucket away to use a temporary one.", "there is no bucket %q", t.bucket)
		}
		return fmt.Sprintf("%q exists", t.bucket), err
	}
	buckets, err := t.s3.ListBuckets(ctx)
	return counted(len(buckets), "bucket"), err
}

// makeBucket makes a bucket with a name that nobody else has, unless one was given to work in.
func (t *trip) makeBucket(ctx context.Context) (string, error) {
	if t.bucket != "" {
		return fmt.Sprintf("working in %q, as given by --bucket", t.bucket), nil
	}
	name := "sluice-verify-" + strings.ToLower(rand.Text()[:16])
	t.bucket, t.made = name, true // before it is made: an answer may be lost on its way
	return fmt.Sprintf("made %q", name), t.s3.MakeBucket(ctx, name, minio.MakeBucketOptions{})
}

func (t *trip) upload(ctx context.Context) (string, error) {
	data, err := newPattern(t.o.Size)
	if err != nil {
		return "", err
	}
	t.data, t.key = data, "sluice-verify-"+strings.ToLower(rand.Text()[:16])+"/object"
	ctx, moving := t.watch(ctx, data.size)
	defer moving.stop()
	start, part := time.Now(), partSize(data.size)
	// A reader that can be read at any offset is sent part by part from where it is, without a buffer.
	source := io.NewSectionReader(countedAt{data, moving}, 0, data.size)
	info, err := t.s3.Client.PutObject(ctx, t.bucket, t.key, source, data.size, minio.PutObjectOptions{PartSize: uint64(part)})
	if err != nil {
		return "", withCause(ctx, err)
	}
	t.version = info.VersionID
	return fmt.Sprintf("%s in %s, %s", size(data.size), counted(int(max(1, (data.size+part-1)/part)), "part"), rate(data.size, start)), nil
}

// partSize is 16 MiB, less for small objects so that they have parts too, and more where S3's bound of
// 10,000 parts asks for it.
func partSize(object int64) int64 {
	const least, usual = 5 << 20, 16 << 20 // least is S3's bound
	switch {
	case object <= usual:
		return least
	case object > usual*10_000:
		return (object/10_000/usual + 1) * usual
	}
	return usual
}

func (t *trip) download(ctx context.Context) (string, error) {
	ctx, moving := t.watch(ctx, t.data.size)
	defer moving.stop()
	start := time.Now()
	body, info, _, err := t.s3.GetObject(ctx, t.bucket, t.key, minio.GetObjectOptions{})
	if err != nil {
		return "", withCause(ctx, err)
	}
	defer body.Close()
	if info.Size != t.data.size {
		return "", fail("What came back is not what was stored: this must not happen, whatever is configured.", "it has %d bytes, %d were sent", info.Size, t.data.size)
	}
	sum, err := t.data.compare(body, 0, t.data.size, moving.to)
	if err != nil {
		return "", corrupted(withCause(ctx, err))
	}
	return fmt.Sprintf("%s, %s, SHA-256 %s… as sent", size(t.data.size), rate(t.data.size, start), sum[:16]), nil
}

// readRange reads some bytes from the middle.
func (t *trip) readRange(ctx context.Context) (string, error) {
	if t.data.size == 0 {
		return "", unasked{"the object is empty"}
	}
	off := t.data.size / 2
	n := min(64<<10, t.data.size-off)
	var o minio.GetObjectOptions
	if err := o.SetRange(off, off+n-1); err != nil {
		return "", err
	}
	body, info, header, err := t.s3.GetObject(ctx, t.bucket, t.key, o)
	if err != nil {
		return "", err
	}
	defer body.Close()
	want := fmt.Sprintf("bytes %d-%d/%d", off, off+n-1, t.data.size)
	if got := header.Get("Content-Range"); got != want || info.Size != n {
		return "", fail("Something between answers for the node, and does not know ranges.", "asked for %s and was given Content-Range %q, %d bytes", want, got, info.Size)
	}
	if _, err := t.data.compare(body, off, n, func(int64) {}); err != nil {
		return "", corrupted(err)
	}
	return fmt.Sprintf("%s from byte %d on, as sent", size(n), off), nil
}

func corrupted(err error) error {
	if _, ok := errors.AsType[differs](err); ok {
		return fail("What came back is not what was stored: this must not happen, whatever is configured. Repeat it on a node directly "+
			"to see whether the node or the way does it.", "%w", err)
	}
	if _, ok := errors.AsType[ended](err); ok {
		return fail("The stream was cut. The balancer's record of this session says by whom (cause), and when (phase).", "%w", err)
	}
	return err
}

// remove removes what was stored, also if the Run was interrupted.
func (t *trip) remove() {
	interrupted := t.ctx
	t.ctx = context.WithoutCancel(t.ctx)
	t.step("delete", cleanTimeout, t.removeAll)
	t.ctx = interrupted
}

func (t *trip) removeAll(ctx context.Context) (string, error) {
	detail := "nothing was stored"
	if t.key != "" {
		gone, err := t.removeObject(ctx)
		if err != nil {
			return "", fail(fmt.Sprintf("Remove it by hand: mc rm --versions --force ALIAS/%s/%s", t.bucket, t.key),
				"object %s/%s is left: %w", t.bucket, t.key, err)
		}
		if gone {
			detail = "the object is gone"
		}
	}
	if t.made {
		if err := t.s3.RemoveBucket(ctx, t.bucket); err != nil && minio.ToErrorResponse(err).Code != "NoSuchBucket" {
			return "", fail("Remove it by hand: mc rb --force ALIAS/"+t.bucket, "bucket %q is left: %w", t.bucket, err)
		}
		detail += ", the temporary bucket is gone"
	}
	return detail, nil
}

// removeObject removes the object if it is there, and what an upload that failed has left of it. In a
// bucket with versions it removes the one that was stored, and leaves no marker.
func (t *trip) removeObject(ctx context.Context) (was bool, err error) {
	t.s3.RemoveIncompleteUpload(ctx, t.bucket, t.key) // there is none, unless the upload failed
	stored, err := t.s3.StatObject(ctx, t.bucket, t.key, minio.StatObjectOptions{})
	if isGone(err) {
		return false, nil
	}
	o := minio.RemoveObjectOptions{VersionID: cmp.Or(t.version, stored.VersionID)}
	if err := t.s3.RemoveObject(ctx, t.bucket, t.key, o); err != nil {
		return true, err
	}
	_, err = t.s3.StatObject(ctx, t.bucket, t.key, minio.StatObjectOptions{})
	if err == nil {
		return true, errors.New("it is still there after its removal")
	}
	if !isGone(err) {
		return true, err
	}
	return true, nil
}

func isGone(err error) bool {
	code := minio.ToErrorResponse(err).Code
	return code == "NoSuchKey" || code == "NoSuchBucket"
}

// watch gives a context that ends when nothing has moved for stallTimeout, and what is to be told of
// every byte that moves.
func (t *trip) watch(ctx context.Context, total int64) (context.Context, *movement) {
	ctx, cancel := context.WithCancelCause(ctx)
	m := &movement{total: total, report: t.progress}
	m.stall = time.AfterFunc(stallTimeout, func() { cancel(fmt.Errorf("no answer within %v: nothing moves any more", stallTimeout)) })
	m.stop = func() { m.stall.Stop(); cancel(nil) }
	return ctx, m
}

// movement is how far an object has come. It may be used concurrently.
type movement struct {
	done   atomic.Int64
	total  int64
	report func(done, total int64)
	stall  *time.Timer
	stop   func()
}

// to says that done bytes have moved since the start, add that n more have.
func (m *movement) to(done int64) { m.add(int(done - m.done.Load())) }
func (m *movement) add(n int)     { m.stall.Reset(stallTimeout); m.report(m.done.Add(int64(n)), m.total) }

// countedAt is a pattern that tells of what is read.
type countedAt struct {
	*pattern
	moving *movement
}

func (c countedAt) ReadAt(b []byte, off int64) (int, error) {
	n, err := c.pattern.ReadAt(b, off)
	c.moving.add(n)
	return n, err
}

// size writes a number of bytes with the unit that fits.
func size(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.4g GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.4g MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.4g KiB", float64(n)/(1<<10))
	}
	return counted(int(n), "byte")
}

// rate is how fast n bytes moved since start.
func rate(n int64, start time.Time) string {
	return size(int64(float64(n)/time.Since(start).Seconds())) + "/s"
}
