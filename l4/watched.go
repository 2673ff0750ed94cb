package l4

import (
	"os"
	"slices"
	"time"
)

// Watched are a few files that belong together, such as a certificate and its key, and what is made of them.
// They are looked at now and then, which takes a stat(2) for each file and no state in the kernel: a watch by
// inotify would have to follow directories, symbolic links and what they point to, and would still have to
// ask whether a file that is written in place is whole.
type watched struct {
	paths []string
	read  func() error // reads the files; on an error what was made of them before stays

	taken []os.FileInfo // as they were when they were last read
	seen  []os.FileInfo // as they were at the last look
}

// open reads the files for the first time.
func (w *watched) open() error {
	w.taken = stat(w.paths)
	w.seen = w.taken
	return w.read()
}

// look reads the files again if they have changed and then stayed as they are from one look to the next:
// of two files one may be written before the other, and a file may be written in place, bit by bit.
// A change is read once; tried is false if there is none.
func (w *watched) look() (tried bool, err error) {
	now := stat(w.paths)
	settled := same(now, w.seen)
	w.seen = now
	if !settled || same(now, w.taken) {
		return false, nil
	}
	// Asked before they are read: what changes meanwhile differs at the next look.
	w.taken = now
	return true, w.read()
}

// stat follows symbolic links, so that a link that is turned to another file (as Kubernetes and certbot
// do) is a change; nil stands for what cannot be found.
func stat(paths []string) []os.FileInfo {
	infos := make([]os.FileInfo, len(paths))
	for i, path := range paths {
		if info, err := os.Stat(path); err == nil {
			infos[i] = info
		}
	}
	return infos
}

// same reports whether files are the very same ones, and unchanged.
func same(a, b []os.FileInfo) bool {
	return slices.EqualFunc(a, b, func(x, y os.FileInfo) bool {
		if x == nil || y == nil {
			return x == y
		}
		return os.SameFile(x, y) && x.Size() == y.Size() && x.ModTime().Equal(y.ModTime())
	})
}

// lookInterval is how often files are looked at. A change is in effect after one to two of these.
const lookInterval = time.Second
