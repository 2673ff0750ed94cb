//go:build !linux

package l4

import "github.com/sluicelb/sluice/configs"

// tuneListening leaves everything as the system has it.
func tuneListening(int, *configs.Timeouts) {}

// setKeepalive leaves everything as the system has it.
func setKeepalive(int, *configs.Timeouts) {}
