//go:build linux

package main

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"
)

// clientHello returns the hello that crypto/tls sends for a server name: about 1.5 KB, most of it a post-quantum key share,
// as today's browsers and Go clients send it.
func clientHello(name string) ([]byte, error) {
	var c capture
	err := tls.Client(&c, &tls.Config{ServerName: name, NextProtos: []string{"h2", "http/1.1"}}).Handshake()
	if !errors.Is(err, errCaptured) {
		return nil, fmt.Errorf("capture a ClientHello: %w", err)
	}
	if b := c.Bytes(); len(b) < minRequest || b[0] != recordTLS || len(b) != 5+int(b[3])<<8+int(b[4]) {
		return nil, fmt.Errorf("capture a ClientHello: %d bytes are not one record", len(b))
	}
	return c.Bytes(), nil
}

var errCaptured = errors.New("captured")

// capture is a connection that keeps what is written and refuses to be read.
type capture struct{ bytes.Buffer }

func (c *capture) Read([]byte) (int, error)         { return 0, errCaptured }
func (c *capture) Close() error                     { return nil }
func (c *capture) LocalAddr() net.Addr              { return nil }
func (c *capture) RemoteAddr() net.Addr             { return nil }
func (c *capture) SetDeadline(time.Time) error      { return nil }
func (c *capture) SetReadDeadline(time.Time) error  { return nil }
func (c *capture) SetWriteDeadline(time.Time) error { return nil }
