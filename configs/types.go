package configs

import "fmt"

// Position is a place in a configuration file. Line and Col count from 1, Col in bytes. The zero
// value means that the place is not known.
type Position struct {
	File      string
	Line, Col int
}

// String is file:line:column, the form that editors and compilers understand.
func (p Position) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Col)
}

// Mode is what a listener does with TLS.
type Mode string

const (
	Plain       Mode = ""            // bytes are bytes; routed by port
	Passthrough Mode = "passthrough" // routed by the hello's server name; TLS ends at the node
	Terminate   Mode = "terminate"   // TLS ends here
)

// Relay chooses the engine that moves a listener's bytes.
type Relay string

const (
	RelayAuto Relay = "auto" // the reactor where it can, else RelayCopy
	RelayCopy Relay = "copy" // two goroutines a session
)

// Balance is the algorithm that picks a node.
type Balance string

const (
	LeastConn  Balance = "leastconn"  // fewest sessions for its weight
	RoundRobin Balance = "roundrobin" // one after the other, by weight
	Random     Balance = "random"     // the less busy of two drawn by weight
	Source     Balance = "source"     // by the client's address, consistent when nodes come and go
	LeastBytes Balance = "leastbytes" // fewest bytes moved of late for its weight
)

// ProxyOut is the PROXY header that a node is sent.
type ProxyOut string

const (
	ProxyOff         ProxyOut = "off"
	ProxyV1          ProxyOut = "v1"
	ProxyV2          ProxyOut = "v2"
	ProxyPassthrough ProxyOut = "passthrough" // the client's own header, byte for byte
)

// SourceClient is the value of [Pool.Source] that binds node connections to the client's address.
const SourceClient = "client"

// OnDown is what becomes of a node's sessions when its checks mark it down.
type OnDown string

const (
	Keep  OnDown = "keep"
	Close OnDown = "close"
)

// CheckType is the kind of a health check.
type CheckType string

const (
	CheckMinIO CheckType = "minio" // GET Path: 200 and no x-minio-server-status; 429 and 503 are busy, never down
	CheckHTTP  CheckType = "http"  // GET Path: a status that is expected
	CheckTCP   CheckType = "tcp"   // a connection is taken
	CheckTLS   CheckType = "tls"   // a handshake succeeds
	CheckNone  CheckType = "none"  // health stays unknown, which counts as fit
)

// LogFormat is how records are written.
type LogFormat string

const (
	LogText LogFormat = "text"
	LogJSON LogFormat = "json"
)

// ClientAuthMode is how much a client's certificate matters.
type ClientAuthMode string

const (
	ClientAuthRequest ClientAuthMode = "request" // verified if given
	ClientAuthRequire ClientAuthMode = "require" // no session without one
)

// TLSVersion is the lowest protocol version that is spoken.
type TLSVersion string

const (
	TLS12 TLSVersion = "1.2"
	TLS13 TLSVersion = "1.3"
)

// FileMode is the permission bits of a file, written in TOML as an octal string ("0660").
type FileMode uint32

// Secret is a string that never shows itself: printing, logging or marshalling it gives a
// placeholder. Convert it with string(s) where it is used, nowhere else.
type Secret string

const hidden = "[hidden]"

// String hides the secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return hidden
}

// GoString hides the secret from %#v.
func (s Secret) GoString() string { return fmt.Sprintf("%q", s.String()) }

// MarshalText hides the secret from encoders and from slog.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
