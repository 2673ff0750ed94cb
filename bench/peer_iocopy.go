//go:build linux

package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"sync/atomic"
)

// ioCopyCommand runs this binary as the plainest balancer that Go can be: what the standard library gives in 60 lines, the
// reference that tells what Sluice's own engine is worth. It has no timeouts and no checks.
func ioCopyCommand(s site) ([]string, error) {
	exe, err := os.Executable()
	return append([]string{exe, cmdIOCopy, strconv.Itoa(s.port)}, s.nodes...), err
}

// runIOCopy relays what comes to a port to nodes in turn. It never returns but with an error.
func runIOCopy(args []string) error {
	ln, err := net.Listen("tcp4", ":"+args[0])
	if err != nil {
		return err
	}
	var nodes []*net.TCPAddr
	for _, n := range args[1:] {
		addr, err := net.ResolveTCPAddr("tcp4", n)
		if err != nil {
			return err
		}
		nodes = append(nodes, addr)
	}
	var turn atomic.Uint64
	for {
		client, err := ln.Accept()
		if err != nil {
			return fmt.Errorf("accept: %w", err)
		}
		go relayCopy(client.(*net.TCPConn), nodes[turn.Add(1)%uint64(len(nodes))])
	}
}

// relayCopy moves bytes both ways until both sides have ended, and closes client.
func relayCopy(client *net.TCPConn, to *net.TCPAddr) {
	defer client.Close()
	node, err := net.DialTCP("tcp4", nil, to)
	if err != nil {
		return
	}
	defer node.Close()
	done := make(chan struct{})
	go func() {
		_, _ = io.Copy(node, client)
		_ = node.CloseWrite()
		close(done)
	}()
	_, _ = io.Copy(client, node)
	_ = client.CloseWrite()
	<-done
}
