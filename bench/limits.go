//go:build linux

package main

import "syscall"

// filesWanted is room for a balancer with 9,000 held sessions and 5,000 at once, and as many checks and pipes as it likes.
const filesWanted = 64 << 10

// raiseFiles lifts the limit on open files of this process, and of what it starts, as far as it goes, and returns it.
func raiseFiles() int {
	var r syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r); err != nil {
		return 1024
	}
	if r.Max < filesWanted && syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: filesWanted, Max: filesWanted}) == nil {
		return filesWanted
	}
	r.Cur = min(r.Max, filesWanted)
	_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &r)
	return int(r.Cur)
}
