//go:build !linux

package l4

import (
	"errors"
	"net/netip"
)

var errNoTransparent = errors.New(`source = "client" works on Linux only`)

func prepareSource(_ int, _ netip.Addr, transparent bool) error {
	if transparent {
		return errNoTransparent
	}
	return nil
}

func checkTransparent() error { return errNoTransparent }
