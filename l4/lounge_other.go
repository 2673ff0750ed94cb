//go:build !linux

package l4

// A lounge is where flows of the copy engine would rest. Here there is none: their goroutines wait.
type lounge struct{}

func newLounge() *lounge { return nil }

func (l *lounge) take(*copyFlow) bool { return false }

func (l *lounge) rouse(*copyFlow) {}

func (l *lounge) close() {}
