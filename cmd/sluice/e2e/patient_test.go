//go:build e2e && linux

package e2e

import (
	"context"
	"net"
	"time"
)

// readFirst is how long a failed write waits for what can be read.
const readFirst = time.Second

// A patient connection lets the answer be read before it says that it cannot be written to.
//
// Trap: a node that refuses a write answers before it has read the request, and closes, which resets the
// connection once more of the request arrives. The answer is there to be read, but Go's HTTP client gives
// up at the first failed write, and nobody can tell whose fault that was. A connection that is cut without
// an answer remains a failure.
type patient struct{ net.Conn }

// Write implements net.Conn.
func (c patient) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	if err != nil {
		time.Sleep(readFirst)
	}
	return n, err
}

// dialPatient is dial for patient connections.
func dialPatient(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return patient{conn}, nil
}
