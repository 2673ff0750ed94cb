package configs

import (
	"log/slog"
	"time"
)

// Default returns a configuration with every default filled in, and no listener and no pool.
func Default() *Config {
	return &Config{
		Log:    Log{Level: slog.LevelInfo, Format: LogText, Sessions: true, Output: "stderr", Sample: 1},
		Admin:  Admin{Listen: "127.0.0.1:9990", Mode: 0o660},
		Limits: Limits{Pending: 4096},
		Timeouts: Timeouts{
			Header:    5 * time.Second,
			Hello:     5 * time.Second,
			Dial:      2 * time.Second,
			DialTotal: 10 * time.Second,
			FirstByte: 2 * time.Second,
			Idle:      time.Hour,
			HalfClose: 5 * time.Minute,
			Drain:     30 * time.Second,
			Keepalive: 30 * time.Second,
			Unacked:   10 * time.Minute,
		},
	}
}

// DefaultListener returns a listener that says nothing of its own.
func DefaultListener() *Listener {
	return &Listener{Relay: RelayAuto, MinVersion: TLS12, ALPN: []string{"http/1.1"}}
}

// DefaultClientAuth returns what is asked of clients where nothing more is said.
func DefaultClientAuth() *ClientAuth {
	return &ClientAuth{Mode: ClientAuthRequire}
}

// DefaultPool returns a pool that says nothing of its own.
func DefaultPool() *Pool {
	return &Pool{
		Balance: LeastConn,
		Proxy:   ProxyOff,
		OnDown:  Keep,
		Check: Check{
			Type:     CheckMinIO,
			Path:     "/minio/health/live",
			Interval: 2 * time.Second,
			Timeout:  time.Second,
			Rise:     2,
			Fall:     3,
			Jitter:   0.2,
		},
		Eject: Eject{Failures: 3, Time: 10 * time.Second, MaxShare: 0.5},
	}
}
