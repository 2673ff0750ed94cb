package l4

import "syscall"

// What sessions need of the machine. `sluice doctor` judges by the same figures.
const (
	// FilesPerSession are the descriptors of a session: client and node. For a moment, while a rival is dialled, it
	// has three.
	FilesPerSession = 2

	// ReservedFiles is what of the descriptors sessions leave alone: listeners, checks, the admin API, logs, epoll
	// sets, and the pipes of the reactor.
	ReservedFiles = 64 + 2*MaxPipes

	// PipeSize is what bulk goes through, in bytes. Measured: 64 KiB pipes double the CPU per byte, 256 KiB cost 40 %
	// more, and beyond 1 MiB (the limit of fs.pipe-max-size for everybody) nothing is won.
	PipeSize = 1 << 20

	// MaxPipes bounds the pool of a process that has no limit of its own. A pipe is held only while bytes are in it,
	// so this is how many sessions with a slow reader may keep a full one at a time: 256 MiB. The others copy.
	MaxPipes = 256
)

// Capacity is how many sessions may be open at once: limits.sessions, or what a limit on open files allows.
func Capacity(limit int, files uint64) int64 {
	if limit > 0 {
		return int64(limit)
	}
	available := int64(min(files, 1<<40)) // RLIM_INFINITY is no number of sessions
	return max(16, (available-min(ReservedFiles, available/4))/FilesPerSession)
}

// capacity is that of this process. The Go runtime has raised its soft limit to the hard one.
func capacity(limit int) int64 {
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		files.Cur = 8192
	}
	return Capacity(limit, uint64(files.Cur))
}
