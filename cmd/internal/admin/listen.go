package admin

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/sluicelb/sluice/configs"
)

func isUnix(listen string) bool { return strings.HasPrefix(listen, "unix:") }

// bind opens the address of the table, bounded to [maxConns] connections.
func bind(cfg *configs.Admin) (net.Listener, error) {
	path, unix := strings.CutPrefix(cfg.Listen, "unix:")
	if !unix {
		ln, err := net.Listen("tcp", cfg.Listen)
		if err != nil {
			return nil, fmt.Errorf("admin.listen %q: %w", cfg.Listen, err)
		}
		return newBounded(ln, maxConns), nil
	}
	ln, err := bindSocket(path, cfg)
	if err != nil {
		return nil, fmt.Errorf("admin.listen %q: %w", cfg.Listen, err)
	}
	return newBounded(ln, maxConns), nil
}

// bindSocket opens a unix socket that only those whom cfg means can reach, from its first moment on: it is
// made under another name, and moved to its place when it is as it should be. A socket that nobody serves
// any more is replaced by that, and so is one of this process.
func bindSocket(path string, cfg *configs.Admin) (net.Listener, error) {
	if err := mayReplace(path); err != nil {
		return nil, err
	}
	making := path + ".new"
	os.Remove(making)
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: making, Net: "unix"})
	if err != nil {
		return nil, err
	}
	ln.SetUnlinkOnClose(false)
	err = os.Chmod(making, fs.FileMode(cfg.Mode))
	if err == nil && cfg.Group != "" {
		err = setGroup(making, cfg.Group)
	}
	if err == nil {
		err = os.Rename(making, path)
	}
	if err != nil {
		os.Remove(making)
		ln.Close()
		return nil, err
	}
	info, err := os.Lstat(path)
	if err != nil {
		ln.Close()
		return nil, err
	}
	return &socketListener{UnixListener: ln, path: path, made: info}, nil
}

// mayReplace refuses to take the place of anything but a socket without a listener.
func mayReplace(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode()&fs.ModeSocket == 0:
		return errors.New("there is a file of that name which is no socket; remove it or choose another path")
	}
	conn, err := net.DialTimeout("unix", path, time.Second)
	if err != nil {
		return nil
	}
	defer conn.Close()
	if peerIsThisProcess(conn) {
		return nil // a reload that changes mode or group
	}
	return fmt.Errorf("another process serves it: %w", syscall.EADDRINUSE)
}

func setGroup(path, group string) error {
	g, err := user.LookupGroup(group)
	if err != nil {
		return fmt.Errorf("admin.group %q: %w", group, err)
	}
	gid, err := strconv.Atoi(g.Gid)
	if err != nil {
		return fmt.Errorf("admin.group %q: its id is %q", group, g.Gid)
	}
	if err := os.Chown(path, -1, gid); err != nil {
		return fmt.Errorf("admin.group %q: %w; the process must be root or of that group", group, err)
	}
	return nil
}

// socketListener takes its socket out of the file system when it is closed, if it is its own still.
type socketListener struct {
	*net.UnixListener
	path string
	made fs.FileInfo
	once sync.Once
}

// Addr is the socket's place.
func (l *socketListener) Addr() net.Addr { return &net.UnixAddr{Name: l.path, Net: "unix"} }

// Close stops listening.
func (l *socketListener) Close() error {
	l.once.Do(func() {
		if now, err := os.Lstat(l.path); err == nil && os.SameFile(now, l.made) {
			os.Remove(l.path)
		}
	})
	return l.UnixListener.Close()
}

// A bounded listener has at most so many connections open; others wait in the kernel's queue.
type bounded struct {
	net.Listener
	places chan struct{}
	closed chan struct{}
	once   sync.Once
}

func newBounded(ln net.Listener, n int) *bounded {
	return &bounded{Listener: ln, places: make(chan struct{}, n), closed: make(chan struct{})}
}

// Accept waits for a place, then for a connection.
func (b *bounded) Accept() (net.Conn, error) {
	select {
	case b.places <- struct{}{}:
	case <-b.closed:
		return nil, net.ErrClosed
	}
	conn, err := b.Listener.Accept()
	if err != nil {
		<-b.places
		return nil, err
	}
	return &boundedConn{Conn: conn, release: sync.OnceFunc(func() { <-b.places })}, nil
}

// Close stops listening; connections stay.
func (b *bounded) Close() error {
	b.once.Do(func() { close(b.closed) })
	return b.Listener.Close()
}

type boundedConn struct {
	net.Conn
	release func()
}

// Close gives the place back.
func (c *boundedConn) Close() error {
	defer c.release()
	return c.Conn.Close()
}
