package l4

import "syscall"

// reservedFDs is what of the descriptors sessions leave alone: listeners, checks, the admin API, logs,
// epoll sets, and the pipes of the reactor.
const reservedFDs = 64 + 2*256

// sessionCapacity is limits.sessions, or what RLIMIT_NOFILE allows: a session has two descriptors, and
// for a moment, while a rival is dialled, three. The Go runtime has raised the soft limit to the hard
// one.
func sessionCapacity(limit int) int64 {
	if limit > 0 {
		return int64(limit)
	}
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		return 4096
	}
	available := int64(files.Cur)
	return max(16, (available-min(reservedFDs, available/4))/2)
}
