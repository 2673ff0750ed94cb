//go:build interop && linux

package interop

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluicelb/sluice/cmd/internal/cluster"
)

// asNode makes the test binary be a node, for tests that stop or kill one. Its value is the address to listen
// at; asNodeTLS is a file with a certificate and a key where it speaks TLS.
const asNode, asNodeTLS = "SLUICE_INTEROP_NODE", "SLUICE_INTEROP_NODE_TLS"

// beNode answers every line with the node's address and the line, until it is killed.
func beNode() {
	ln, err := net.Listen("tcp", os.Getenv(asNode))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if pair := os.Getenv(asNodeTLS); pair != "" {
		c, err := tls.LoadX509KeyPair(pair, pair)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		ln = tls.NewListener(ln, &tls.Config{Certificates: []tls.Certificate{c}})
	}
	for {
		conn, err := ln.Accept()
		if err != nil {
			os.Exit(1)
		}
		go func() {
			defer conn.Close()
			for s := bufio.NewScanner(conn); s.Scan(); {
				fmt.Fprintf(conn, "%s %s\n", ln.Addr(), s.Text())
			}
		}()
	}
}

// A stub is a node that is a process.
type stub struct {
	t       *testing.T
	address string
	pair    string // its certificate and key as a file; "" for none
	process *cluster.Process
}

// newStub starts a stub; it is killed at the end of the test.
func newStub(t *testing.T, pair string) *stub {
	t.Helper()
	s := &stub{t: t, address: loopback(), pair: pair}
	s.start()
	t.Cleanup(func() { s.process.Kill() })
	return s
}

// start starts it, for the first time or again.
func (s *stub) start() {
	s.t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), asNode+"="+s.address, asNodeTLS+"="+s.pair)
	cmd.Stderr = os.Stderr
	var err error
	if s.process, err = launcher.Start("node", cmd); err != nil {
		s.t.Fatal(err)
	}
	until(s.t, "the node listens at "+s.address, func() bool { return listening(s.address) })
}

func (s *stub) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := s.process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}

// converse sends a line to a stub and returns which it was; an error is one that a client would see.
func converse(c net.Conn, line string) (node string, err error) {
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return "", err
	}
	if _, err := io.WriteString(c, line+"\n"); err != nil {
		return "", err
	}
	got, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		return "", err
	}
	node, rest, _ := strings.Cut(strings.TrimSuffix(got, "\n"), " ")
	if rest != line {
		return node, fmt.Errorf("got %q, want %q behind the node's name", got, line)
	}
	return node, nil
}
