package main

import (
	"sync"
	"time"
)

// maxQueued bounds the records that wait for a slow reader, those of sessions aside. There are few of these:
// one for each change of something.
const maxQueued = 1024

// A queue does what it is given, one after the other, and lets nobody wait.
//
// It is safe for concurrent use. It must be closed.
type queue struct {
	todo chan func()
	done chan struct{} // closed when all is done

	mu     sync.Mutex // guards closed, and todo against its close
	closed bool
}

func newQueue() *queue {
	q := &queue{todo: make(chan func(), maxQueued), done: make(chan struct{})}
	go func() {
		defer close(q.done)
		for f := range q.todo {
			f()
		}
	}()
	return q
}

// add has f done soon; false if there is no room, or no time any more.
func (q *queue) add(f func()) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false
	}
	select {
	case q.todo <- f:
		return true
	default:
		return false
	}
}

// lastWait is how long a process that ends waits for whoever reads its records.
const lastWait = 2 * time.Second

// close waits until all is done, but not for ever.
func (q *queue) close() {
	q.mu.Lock()
	if !q.closed {
		q.closed = true
		close(q.todo)
	}
	q.mu.Unlock()
	select {
	case <-q.done:
	case <-time.After(lastWait):
	}
}
