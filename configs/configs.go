// Package configs is everything the operator may say: the schema of Sluice's one TOML file, its
// defaults, how it is loaded and what is refused. The files that ship with Sluice (examples, units,
// dashboards) lie beside the code, so that a test can load every one of them.
//
// Use [Load], and print the [Report] that comes with the [Config]. The Config is complete (every default
// filled in, every reference resolved by name, every ellipsis written out) and is not changed
// afterwards, so it may be shared freely.
//
// It does not act on anything it reads: no socket is opened, no name looked up, no certificate parsed.
package configs

import (
	"log/slog"
	"net/netip"
	"time"
)

// Config is one whole configuration file.
type Config struct {
	Log      Log      `toml:"log"`
	Admin    Admin    `toml:"admin"`
	Limits   Limits   `toml:"limits"`
	Timeouts Timeouts `toml:"timeouts"`

	Listeners []*Listener `toml:"listener"`
	Pools     []*Pool     `toml:"pool"`

	// Path is the file this was read from, as it was given to [Load].
	Path string `toml:"-"`
}

// Log says what is written down, how, and where.
type Log struct {
	Level    slog.Level    `toml:"level"`    // debug info warn error
	Format   LogFormat     `toml:"format"`   // text json
	Sessions bool          `toml:"sessions"` // one record per session, at its end
	Output   string        `toml:"output"`   // "stderr", "journald", or a file, reopened on SIGHUP
	Interim  time.Duration `toml:"interim"`  // a record for sessions that live, this often; 0: only at the end
	Sample   float64       `toml:"sample"`   // share of clean session records that is written, above 0 and up to 1
}

// Admin is the control plane's listener: API, metrics, dashboard.
type Admin struct {
	Listen string   `toml:"listen"` // host:port, "unix:/path", or "" for none
	Token  Secret   `toml:"token"`  // bearer token; required where Listen is not loopback or unix
	Mode   FileMode `toml:"mode"`   // of the unix socket
	Group  string   `toml:"group"`  // of the unix socket; "" keeps the process's own
	Debug  bool     `toml:"debug"`  // serve pprof and the flight recorder
}

// Limits bound what one process, and one client, may hold. Zero means what each field says.
type Limits struct {
	Sessions          int     `toml:"sessions"`            // 0: what RLIMIT_NOFILE allows, less a reserve
	SessionsPerClient int     `toml:"sessions_per_client"` // concurrent, per IPv4 address or IPv6 /64; 0: no limit
	RatePerClient     float64 `toml:"rate_per_client"`     // new sessions a second, per client as above; 0: no limit
	BurstPerClient    int     `toml:"burst_per_client"`    // sessions at once before the rate bites; 0: twice the rate
	Pending           int     `toml:"pending"`             // sessions that are not yet relaying
	Loops             int     `toml:"loops"`               // reactor loops; 0: one per CPU, used as the load asks for
	Pipes             int     `toml:"pipes"`               // pipes of the reactor; 0: what fs.pipe-user-pages-soft allows
}

// Timeouts are the bounds in time. All are above zero except where a field says that 0 turns it off.
type Timeouts struct {
	Header    time.Duration `toml:"header"`     // a PROXY header must be whole by then
	Hello     time.Duration `toml:"hello"`      // a ClientHello must be whole by then; where TLS ends here, the handshake
	Dial      time.Duration `toml:"dial"`       // one attempt to reach a node
	DialTotal time.Duration `toml:"dial_total"` // all attempts of a session
	FirstByte time.Duration `toml:"first_byte"` // passthrough: silence after the hello before a rival node gets it too; 0: never
	Idle      time.Duration `toml:"idle"`       // no byte either way
	HalfClose time.Duration `toml:"half_close"` // one side has finished and the other moves nothing
	Drain     time.Duration `toml:"drain"`      // a shutdown waits this long for its sessions
	Keepalive time.Duration `toml:"keepalive"`  // TCP keepalive: idle time before the first probe, and a third of it between probes; 0: off
	Unacked   time.Duration `toml:"unacked"`    // TCP_USER_TIMEOUT: sent bytes may stay unacknowledged this long; 0: the kernel's choice
}

// Listener is where clients connect: addresses that share one set of rules.
type Listener struct {
	Name      string         `toml:"name"`
	Address   []string       `toml:"address"` // host:port; no host: both families, 0.0.0.0: IPv4 only, [::]: IPv6 only
	Pool      string         `toml:"pool"`    // for all that no route takes; "" on a routed listener: refuse
	TLS       Mode           `toml:"tls"`
	ProxyFrom []netip.Prefix `toml:"proxy_from"` // peers that must open with a PROXY header; nobody else is believed
	Allow     []netip.Prefix `toml:"allow"`      // empty: everyone
	Deny      []netip.Prefix `toml:"deny"`       // wins over Allow
	Sessions  int            `toml:"sessions"`   // concurrent; 0: no limit but [Limits.Sessions]
	Relay     Relay          `toml:"relay"`

	Routes []*Route `toml:"route"`

	// What follows is for Mode terminate only.

	Certificates []*Certificate `toml:"certificate"` // the first is the default
	ClientAuth   *ClientAuth    `toml:"client_auth"`
	ECH          []*ECHKey      `toml:"ech"`
	MinVersion   TLSVersion     `toml:"min_version"`
	Ciphers      []string       `toml:"ciphers"` // of TLS 1.2, by their IANA names; empty: Mozilla intermediate
	Curves       []string       `toml:"curves"`  // empty: the library's, X25519MLKEM768 first
	ALPN         []string       `toml:"alpn"`

	Pos Position `toml:"-"`
}

// Route sends hellos that ask for certain names to a pool.
type Route struct {
	SNI  []string `toml:"sni"`  // "host.example" or "*.example", which takes any number of labels; lower case, no dot at the end
	ALPN []string `toml:"alpn"` // if given, the hello must offer one of these as well
	Pool string   `toml:"pool"`

	Pos Position `toml:"-"`
}

// Certificate is a pair of files, reread when they change.
type Certificate struct {
	Cert string `toml:"cert"` // PEM: leaf, then intermediates
	Key  string `toml:"key"`  // PEM: PKCS#8, PKCS#1 or SEC 1
	OCSP string `toml:"ocsp"` // DER response to staple; "" for none

	Pos Position `toml:"-"`
}

// ClientAuth asks clients for a certificate.
type ClientAuth struct {
	CA   string         `toml:"ca"` // PEM bundle, reread when it changes
	Mode ClientAuthMode `toml:"mode"`

	Pos Position `toml:"-"`
}

// ECHKey is one Encrypted Client Hello key (RFC 9849) and its configuration.
type ECHKey struct {
	Config string `toml:"config"` // file: the serialized ECHConfig
	Key    string `toml:"key"`    // file: its HPKE private key
	Retry  bool   `toml:"retry"`  // offer this configuration to clients that used a stale one

	Pos Position `toml:"-"`
}

// Pool is a named set of nodes and how sessions are spread over them.
type Pool struct {
	Name            string         `toml:"name"`
	Nodes           []string       `toml:"nodes"` // host:port or srv:_service._proto.name, once ellipses are expanded; in lower case, addresses in their short form
	Balance         Balance        `toml:"balance"`
	Proxy           ProxyOut       `toml:"proxy"`
	Source          string         `toml:"source"` // "", "client", or a local address
	OnDown          OnDown         `toml:"on_down"`
	FailOpen        float64        `toml:"fail_open"` // share of available nodes under which all are used; 0: only when none is
	SessionsPerNode int            `toml:"sessions_per_node"`
	Backup          []string       `toml:"backup"` // of Nodes, those that are used only when no other is available
	SlowStart       time.Duration  `toml:"slow_start"`
	Hedge           float64        `toml:"hedge"`   // share of timeouts.dial after which a second node is dialled in parallel; 0: never
	Weights         map[string]int `toml:"weights"` // by address, as in Nodes; absent: 100, 0: no new sessions

	Check Check   `toml:"check"`
	Eject Eject   `toml:"eject"`
	TLS   NodeTLS `toml:"tls"`

	Pos Position `toml:"-"`
}

// Check is how a pool's nodes are asked for their health.
type Check struct {
	Type       CheckType     `toml:"type"`
	Path       string        `toml:"path"`   // http and minio
	Host       string        `toml:"host"`   // http and minio: the Host header; "": the node's address
	Status     []int         `toml:"status"` // http: what is healthy; empty: 200 to 399
	Port       int           `toml:"port"`   // 0: the node's own; of type minio, 9000 for a node at 9001 (a Console)
	Interval   time.Duration `toml:"interval"`
	Fast       time.Duration `toml:"fast_interval"` // while a state is changing; 0: a quarter of Interval
	Timeout    time.Duration `toml:"timeout"`
	Rise       int           `toml:"rise"`
	Fall       int           `toml:"fall"`
	Jitter     float64       `toml:"jitter"`      // share of the interval, either way
	TLS        bool          `toml:"tls"`         // http and minio: over TLS
	ServerName string        `toml:"server_name"` // of the check only; "": [NodeTLS.ServerName], else the node's host
}

// Eject takes a node out because of what traffic met.
type Eject struct {
	Failures int           `toml:"failures"` // in a row; 0: never
	Time     time.Duration `toml:"time"`     // doubles with each ejection that follows, up to 10 times
	MaxShare float64       `toml:"max_share"`
}

// NodeTLS is TLS towards the nodes: for the sessions of terminating listeners, and for checks.
type NodeTLS struct {
	Enabled    bool   `toml:"enabled"`
	ServerName string `toml:"server_name"` // "": the node's host
	CA         string `toml:"ca"`          // PEM bundle; "": the system's
	Cert       string `toml:"cert"`        // client certificate
	Key        string `toml:"key"`
	Insecure   bool   `toml:"insecure"` // no verification

	Pos Position `toml:"-"`
}
