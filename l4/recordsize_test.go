package l4

import (
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/sluicelb/sluice/configs"
)

// A recordCounter notes the size of every TLS record that comes over a connection.
type recordCounter struct {
	net.Conn
	head  []byte // of the record that is coming
	left  int    // bytes of its body that have not come
	sizes []int
}

func (c *recordCounter) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	for b := p[:n]; len(b) > 0; {
		if c.left > 0 {
			k := min(c.left, len(b))
			b, c.left = b[k:], c.left-k
			continue
		}
		k := min(5-len(c.head), len(b))
		c.head, b = append(c.head, b[:k]...), b[k:]
		if len(c.head) == 5 {
			c.left = int(binary.BigEndian.Uint16(c.head[3:]))
			c.sizes = append(c.sizes, 5+c.left)
			c.head = c.head[:0]
		}
	}
	return n, err
}

// Records are small where a response begins, on a new connection and after a pause, and large in bulk.
func TestRecordSizes(t *testing.T) {
	leakCheck(t)
	const bulk = 1 << 20
	ca := newAuthority(t, "test CA")
	node := startNode(t, func(c *net.TCPConn) {
		ask := make([]byte, 1)
		for {
			if _, err := io.ReadFull(c, ask); err != nil {
				return
			}
			c.Write(pattern(bulk, 1))
		}
	})
	srv := serve(t, terminating([]*configs.Certificate{ca.issue("ecdsa", nil, site).written(t)}, node))
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		counter := &recordCounter{Conn: dial(t, srv.addr("s3"))}
		client := ca.client()
		client.MaxVersion = version
		c := tls.Client(counter, client)
		if err := c.Handshake(); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, bulk)
		// response is the sizes of the records that a response comes in.
		response := func() []int {
			counter.sizes = nil
			c.Write([]byte("x"))
			if _, err := io.ReadFull(c, got); err != nil || diff(got, pattern(bulk, 1)) != "" {
				t.Fatal(err, diff(got, pattern(bulk, 1)))
			}
			return slices.Clone(counter.sizes)
		}
		small := func(sizes []int) int { return slices.IndexFunc(sizes, func(n int) bool { return n > 1220 }) }
		if first := response(); small(first) < 1 {
			t.Errorf("%s: a new connection begins with a record of %d bytes", tls.VersionName(version), first[0])
		}
		if at := response(); small(at) >= smallRecords || slices.Max(at) < 16<<10 {
			t.Errorf("%s: a response at once begins with %d small records, the largest has %d bytes", tls.VersionName(version), small(at), slices.Max(at))
		}
		time.Sleep(pause + 200*time.Millisecond)
		if after := response(); small(after) != smallRecords || slices.Max(after) < 16<<10 {
			t.Errorf("%s: after a pause it begins with %d small records, want %d; the largest has %d bytes", tls.VersionName(version), small(after), smallRecords, slices.Max(after))
		}
		c.Close()
	}
}
