package demo

import (
	"cmp"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// What a store holds at most, so that a script gone wild ends in an error and not in a full memory. The
// bytes of objects are in files; the disk is their bound.
const (
	maxBuckets = 100
	maxObjects = 100_000 // in a bucket
	maxUploads = 1_000   // multipart uploads under way
	maxParts   = 10_000  // of one upload, as in S3
)

// Errors by the names that S3 has for them.
var (
	errNoSuchBucket   = errors.New("NoSuchBucket")
	errNoSuchKey      = errors.New("NoSuchKey")
	errNoSuchUpload   = errors.New("NoSuchUpload")
	errBucketExists   = errors.New("BucketAlreadyOwnedByYou")
	errBucketNotEmpty = errors.New("BucketNotEmpty")
	errInvalidPart    = errors.New("InvalidPart")
	errIncompleteBody = errors.New("IncompleteBody")
	errTooMany        = errors.New("SlowDown")
)

// store is where the nodes of a cluster keep what they are given: names in memory, bytes in files. It
// may be used concurrently.
type store struct {
	dir string

	mu      sync.RWMutex // guards the fields below
	buckets map[string]*bucket
	uploads map[string]*upload
}

type bucket struct {
	name    string
	created time.Time
	objects map[string]object
}

// object is what is known of a stored object. Its file is not changed; a new object gets a new file.
type object struct {
	key         string
	path        string
	size        int64
	etag        string // with its quotes
	contentType string
	modified    time.Time
}

func newObject(key, path string, size int64, etag, contentType string) object {
	return object{
		key: key, path: path, size: size, etag: etag,
		contentType: cmp.Or(contentType, "application/octet-stream"), modified: time.Now(),
	}
}

func newStore(parent string) (*store, error) {
	dir, err := os.MkdirTemp(parent, "sluice-demo-")
	if err != nil {
		return nil, err
	}
	return &store{dir: dir, buckets: map[string]*bucket{}, uploads: map[string]*upload{}}, nil
}

// close removes all files.
func (s *store) close() error { return os.RemoveAll(s.dir) }

func (s *store) makeBucket(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.buckets[name] != nil {
		return errBucketExists
	}
	if len(s.buckets) == maxBuckets {
		return errTooMany
	}
	s.buckets[name] = &bucket{name: name, created: time.Now(), objects: map[string]object{}}
	return nil
}

func (s *store) removeBucket(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch b := s.buckets[name]; {
	case b == nil:
		return errNoSuchBucket
	case len(b.objects) > 0:
		return errBucketNotEmpty
	}
	delete(s.buckets, name)
	return nil
}

func (s *store) hasBucket(name string) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.buckets[name] == nil {
		return errNoSuchBucket
	}
	return nil
}

// listBuckets returns the buckets by name; their objects are not for the caller.
func (s *store) listBuckets() []*bucket {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var all []*bucket
	for _, b := range s.buckets {
		all = append(all, b)
	}
	slices.SortFunc(all, func(a, b *bucket) int { return cmp.Compare(a.name, b.name) })
	return all
}

// list returns the objects of a bucket whose keys begin with prefix and come behind after, by key.
func (s *store) list(bucket, prefix, after string) ([]object, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	b := s.buckets[bucket]
	if b == nil {
		return nil, errNoSuchBucket
	}
	var found []object
	for key, o := range b.objects {
		if strings.HasPrefix(key, prefix) && key > after {
			found = append(found, o)
		}
	}
	slices.SortFunc(found, func(a, b object) int { return cmp.Compare(a.key, b.key) })
	return found, nil
}

// put stores what it reads as an object, whole or not at all.
func (s *store) put(bucket, key, contentType string, r io.Reader) (object, error) {
	if err := s.hasBucket(bucket); err != nil {
		return object{}, err
	}
	path, size, sum, err := s.write(r)
	if err != nil {
		return object{}, err
	}
	o := newObject(key, path, size, quoted(sum), contentType)
	return o, s.add(bucket, o)
}

// add takes an object in, and its file over, in the place of one with the same key.
func (s *store) add(bucket string, o object) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.buckets[bucket]
	old, exists := object{}, false
	if b != nil {
		old, exists = b.objects[o.key]
	}
	switch {
	case b == nil:
		return errors.Join(errNoSuchBucket, os.Remove(o.path))
	case !exists && len(b.objects) == maxObjects:
		return errors.Join(errTooMany, os.Remove(o.path))
	}
	b.objects[o.key] = o
	if exists {
		return os.Remove(old.path) // whoever reads it has it open, and keeps it
	}
	return nil
}

// open opens an object for reading. The caller closes the file.
func (s *store) open(bucket, key string) (object, *os.File, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	b := s.buckets[bucket]
	if b == nil {
		return object{}, nil, errNoSuchBucket
	}
	o, ok := b.objects[key]
	if !ok {
		return object{}, nil, errNoSuchKey
	}
	f, err := os.Open(o.path)
	return o, f, err
}

// remove removes an object. That there is none is no error, as in S3.
func (s *store) remove(bucket, key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.buckets[bucket]
	if b == nil {
		return errNoSuchBucket
	}
	o, ok := b.objects[key]
	if !ok {
		return nil
	}
	delete(b.objects, key)
	return os.Remove(o.path)
}

// write copies r into a file of its own and returns the file's path, its size and its MD5 sum. Nothing
// is left of it if r fails.
func (s *store) write(r io.Reader) (path string, size int64, sum []byte, err error) {
	f, err := os.CreateTemp(s.dir, "bytes-")
	if err != nil {
		return "", 0, nil, err
	}
	hash := md5.New() // of no use against anybody; it is what an ETag is
	size, err = io.Copy(io.MultiWriter(f, hash), r)
	err = errors.Join(err, f.Close())
	if err != nil {
		return "", 0, nil, errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), size, hash.Sum(nil), nil
}

func quoted(sum []byte) string { return fmt.Sprintf("%q", hex.EncodeToString(sum)) }
