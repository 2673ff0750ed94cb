package demo

import (
	"crypto/md5"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
)

// upload is a multipart upload that is under way. The store's mutex guards it until it is taken.
type upload struct {
	bucket, key, contentType string
	parts                    map[int]part
}

// part is one part of an upload, in a file of its own.
type part struct {
	path string
	size int64
	sum  []byte // MD5
}

// begin starts an upload and returns its id.
func (s *store) begin(bucket, key, contentType string) (id string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.buckets[bucket] == nil {
		return "", errNoSuchBucket
	}
	if len(s.uploads) == maxUploads {
		return "", errTooMany
	}
	id = rand.Text()
	s.uploads[id] = &upload{bucket: bucket, key: key, contentType: contentType, parts: map[int]part{}}
	return id, nil
}

// putPart stores one part, in the place of one with the same number.
func (s *store) putPart(id string, number int, r io.Reader) (etag string, err error) {
	if number < 1 || number > maxParts {
		return "", errInvalidPart
	}
	var p part
	p.path, p.size, p.sum, err = s.write(r)
	if err != nil {
		return "", err
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.uploads[id]
	if u == nil {
		return "", errors.Join(errNoSuchUpload, os.Remove(p.path))
	}
	old, exists := u.parts[number]
	u.parts[number] = p
	if exists {
		err = os.Remove(old.path)
	}
	return quoted(p.sum), err
}

// complete makes an object of the parts with these numbers, in this order, and ends the upload.
func (s *store) complete(id string, numbers []int) (object, error) {
	u, err := s.take(id)
	if err != nil {
		return object{}, err
	}
	defer u.drop()
	o, err := u.join(numbers)
	if err != nil {
		return object{}, err
	}
	return o, s.add(u.bucket, o)
}

// abort ends an upload that is no longer wanted.
func (s *store) abort(id string) error {
	u, err := s.take(id)
	if err != nil {
		return err
	}
	return u.drop()
}

// take gives an upload to the caller alone.
func (s *store) take(id string) (*upload, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.uploads[id]
	if u == nil {
		return nil, errNoSuchUpload
	}
	delete(s.uploads, id)
	return u, nil
}

// join appends the other parts to the first one's file, which then is the object's.
func (u *upload) join(numbers []int) (o object, err error) {
	for i, number := range numbers {
		if _, ok := u.parts[number]; !ok || i > 0 && number <= numbers[i-1] {
			return o, errInvalidPart
		}
	}
	if len(numbers) == 0 {
		return o, errInvalidPart
	}
	first := u.parts[numbers[0]]
	f, err := os.OpenFile(first.path, os.O_WRONLY, 0)
	if err != nil {
		return o, err
	}
	if _, err := f.Seek(0, io.SeekEnd); err != nil {
		return o, errors.Join(err, f.Close())
	}
	size, hash := first.size, md5.New()
	hash.Write(first.sum)
	for _, number := range numbers[1:] {
		p := u.parts[number]
		if err := appendFile(f, p.path); err != nil {
			return o, errors.Join(err, f.Close())
		}
		size += p.size
		hash.Write(p.sum)
	}
	if err := f.Close(); err != nil {
		return o, err
	}
	delete(u.parts, numbers[0])
	etag := fmt.Sprintf("\"%s-%d\"", hex.EncodeToString(hash.Sum(nil)), len(numbers))
	return newObject(u.key, first.path, size, etag, u.contentType), nil
}

// drop removes the parts that are left.
func (u *upload) drop() (err error) {
	for _, p := range u.parts {
		err = errors.Join(err, os.Remove(p.path))
	}
	return err
}

func appendFile(dst *os.File, path string) error {
	src, err := os.Open(path)
	if err != nil {
		return err
	}
	defer src.Close()
	_, err = io.Copy(dst, src)
	return err
}
