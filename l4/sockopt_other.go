//go:build !linux

package l4

import "github.com/sluicelb/sluice/configs"

// tuneListening leaves everything as the system has it.
func tuneListening(int, *configs.Timeouts) {}

// refuseNewcomers does nothing: who connects at the wrong moment is reset.
func (sk *socket) refuseNewcomers() {}

// setKeepalive leaves everything as the system has it.
func setKeepalive(int, *configs.Timeouts) {}
