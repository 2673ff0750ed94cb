package admin

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/sluicelb/sluice/pool"
)

// The shapes of the API. Names are snake_case, times RFC 3339, durations seconds, sizes bytes. Lists are
// never null. What is absent is not known, or does not apply.

// Status is the answer of GET /api/v1/status: all there is to know but the sessions themselves.
type Status struct {
	Time     time.Time  `json:"time"`
	Started  time.Time  `json:"started"`
	Uptime   float64    `json:"uptime"` // seconds
	Host     string     `json:"host"`   // of the machine; "" if it has none
	PID      int        `json:"pid"`
	Build    Build      `json:"build"`
	Config   ConfigFile `json:"config"`
	Ready    bool       `json:"ready"`
	NotReady []string   `json:"not_ready"` // why it is not
	Draining bool       `json:"draining"`

	Sessions SessionCounts `json:"sessions"`
	Bytes    Bytes         `json:"bytes"`
	Relayed  Relayed       `json:"relayed"`
	Pipes    Pipes         `json:"pipes"`
	Records  Records       `json:"records"`

	Listeners    []Listener    `json:"listeners"`
	Pools        []Pool        `json:"pools"`
	Retired      []Node        `json:"retired"` // nodes that no pool lists any more, with sessions left
	Certificates []Certificate `json:"certificates"`
}

// Build is which Sluice this is.
type Build struct {
	Version string `json:"version"`
	Commit  string `json:"commit"`
	Go      string `json:"go"`
}

// ConfigFile is the configuration in effect, and how the last attempt to change it went.
type ConfigFile struct {
	Path       string `json:"path"`
	LastReload Reload `json:"last_reload"` // the start counts as one
}

// Reload is the outcome of reading the configuration, and the answer of POST /api/v1/reload.
type Reload struct {
	Time     time.Time `json:"time"`
	OK       bool      `json:"ok"`
	Error    string    `json:"error,omitempty"` // why it is not in effect, where that is no problem of the file
	Problems []Problem `json:"problems"`        // of the file, warnings too
}

// Problem is one thing about the configuration file.
type Problem struct {
	Warning bool   `json:"warning"`
	File    string `json:"file"`
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
	Key     string `json:"key,omitempty"`
	What    string `json:"what"`
	Right   string `json:"right,omitempty"`
	Text    string `json:"text"` // all of it on one line, as sluice check prints it
}

// SessionCounts is how many sessions there are.
type SessionCounts struct {
	Open     int64  `json:"open"`
	Pending  int64  `json:"pending"` // of these, not yet relaying
	Capacity int64  `json:"capacity"`
	Ended    uint64 `json:"ended"` // since the start
}

// Bytes is what was moved: in is from clients to nodes, out is back.
type Bytes struct {
	In  uint64 `json:"in"`
	Out uint64 `json:"out"`
}

// Relayed is what was moved, both ways together, by the way it took.
type Relayed struct {
	Splice uint64 `json:"splice"`
	Copy   uint64 `json:"copy"`
	TLS    uint64 `json:"tls"`
}

// Pipes counts the pipes that bulk goes through.
type Pipes struct {
	Limit int `json:"limit"`
	Free  int `json:"free"`
	Busy  int `json:"busy"`
	Short int `json:"short"` // smaller than asked for
}

// Records counts session records that were not written.
type Records struct {
	Dropped uint64 `json:"dropped"`
	LeftOut uint64 `json:"left_out"`
}

// Listener is one [[listener]].
type Listener struct {
	Name      string            `json:"name"`
	Addresses []string          `json:"addresses"` // that are bound
	TLS       string            `json:"tls"`
	Sessions  int64             `json:"sessions"`
	Limit     int               `json:"limit"` // of sessions; 0: none of its own
	Ended     uint64            `json:"ended"`
	Bytes     Bytes             `json:"bytes"`
	Rejected  map[string]uint64 `json:"rejected"` // by reason, those that occurred
	Routes    []Route           `json:"routes"`
}

// Route is where a listener sends sessions; the label is its first name, "default" for what no other takes,
// and "" for sessions that found none.
type Route struct {
	Label string  `json:"label"`
	Pool  string  `json:"pool"`
	Ended []Ended `json:"ended"` // those that occurred
	Bytes Bytes   `json:"bytes"`
}

// Ended counts sessions by how they ended.
type Ended struct {
	Cause string `json:"cause"`
	Phase string `json:"phase"`
	Count uint64 `json:"count"`
}

// Pool is one [[pool]].
type Pool struct {
	Name      string `json:"name"`
	Balance   string `json:"balance"`
	OnDown    string `json:"on_down"`
	Check     string `json:"check"` // its type
	Available int    `json:"available"`
	Sessions  int64  `json:"sessions"`
	Nodes     []Node `json:"nodes"`
}

// Node is one node of a pool.
type Node struct {
	Pool    string `json:"pool"`
	Name    string `json:"name"`              // as commands and metrics call it
	Address string `json:"address,omitempty"` // where it is dialled; absent while its name is not resolved
	Backup  bool   `json:"backup"`
	Weight  int    `json:"weight"`

	Health       string     `json:"health"` // unknown up down
	Busy         bool       `json:"busy"`
	Admin        string     `json:"admin"` // ready drain maint
	Ejected      bool       `json:"ejected"`
	EjectedUntil *time.Time `json:"ejected_until,omitempty"`
	Available    bool       `json:"available"`
	Since        time.Time  `json:"since"` // of the last change of these
	Reason       string     `json:"reason"`

	Sessions  int64             `json:"sessions"`
	Limit     int               `json:"limit"` // of sessions; 0: none
	Picks     uint64            `json:"picks"`
	Bytes     Bytes             `json:"bytes"`
	Dials     map[string]uint64 `json:"dials"` // by result
	Dial      Latency           `json:"dial"`  // of successful dials
	Silences  uint64            `json:"silences"`
	Ejections uint64            `json:"ejections"`
	Check     *Check            `json:"check,omitempty"`
}

// State is all that decides whether a node gets sessions, in a few words: "up", "up drain", "DOWN", "up EJECTED".
func (n *Node) State() string {
	words := []string{n.Health}
	if n.Health == "down" {
		words[0] = "DOWN"
	}
	if n.Busy {
		words = append(words, "busy")
	}
	if n.Admin != "ready" {
		words = append(words, n.Admin)
	}
	if n.Ejected {
		words = append(words, "EJECTED")
	}
	if n.Address == "" {
		words = append(words, "UNRESOLVED")
	}
	if n.Backup {
		words = append(words, "backup")
	}
	return strings.Join(words, " ")
}

// Latency is a distribution in short, in seconds. The quantiles are as exact as the histogram is fine.
type Latency struct {
	Count uint64  `json:"count"`
	Mean  float64 `json:"mean"`
	P50   float64 `json:"p50"`
	P99   float64 `json:"p99"`
}

// Check is what a node's checks came to.
type Check struct {
	Time    time.Time `json:"time"`    // of the last one
	Verdict string    `json:"verdict"` // pass busy fail late
	Text    string    `json:"text"`
	Took    float64   `json:"took"` // seconds
	Mean    float64   `json:"mean"` // seconds, of all
	Pass    uint64    `json:"pass"`
	Busy    uint64    `json:"busy"`
	Fail    uint64    `json:"fail"`
	Late    uint64    `json:"late"`
}

// Certificate is one that a listener shows.
type Certificate struct {
	Listener    string     `json:"listener"`
	File        string     `json:"file"`
	Names       []string   `json:"names"` // hosts and addresses that it is for
	Issuer      string     `json:"issuer"`
	Key         string     `json:"key"`         // such as "ECDSA P-256"
	Fingerprint string     `json:"fingerprint"` // SHA-256, hexadecimal
	NotBefore   time.Time  `json:"not_before"`
	NotAfter    time.Time  `json:"not_after"`
	Staple      *time.Time `json:"staple,omitempty"` // until when its OCSP response is good
}

// Sessions is the answer of GET /api/v1/sessions.
type Sessions struct {
	Sessions []Session `json:"sessions"`
	Matched  int       `json:"matched"` // how many there are that fit the question
	Total    int       `json:"total"`   // how many there are
	Next     uint64    `json:"next,omitempty"`
}

// Session is a living session. The words are those of the session record.
type Session struct {
	ID         uint64    `json:"id"`
	Time       time.Time `json:"time"` // when it was accepted
	Listener   string    `json:"listener"`
	Route      string    `json:"route"`
	Pool       string    `json:"pool"`
	Node       string    `json:"node"`
	Client     string    `json:"client"`
	ServerName string    `json:"server_name"` // as the client sent it: show it escaped
	ALPN       []string  `json:"alpn"`
	Phase      string    `json:"phase"`
	BytesIn    uint64    `json:"bytes_in"`
	BytesOut   uint64    `json:"bytes_out"`
	THeader    float64   `json:"t_header"`
	THello     float64   `json:"t_hello"`
	TDial      float64   `json:"t_dial"`
	TFirstByte float64   `json:"t_first_byte"`
	Dur        float64   `json:"dur"`
	Idle       float64   `json:"idle"`
	Retries    int       `json:"retries"`
	Path       string    `json:"path"`
}

// Killed is the answer to a DELETE of sessions.
type Killed struct {
	Killed int `json:"killed"`
}

// NodeChange is the answer of POST /api/v1/pools/{pool}/nodes/{node}/{drain|ready|maint}, where the word was
// taken.
type NodeChange struct {
	Pool     string   `json:"pool"`
	Node     string   `json:"node"`
	Admin    string   `json:"admin"` // now
	Was      string   `json:"was"`
	Sessions int64    `json:"sessions"`         // that it has left
	Answer   *Answer  `json:"answer,omitempty"` // of the node; absent where it was not asked
	Notices  []string `json:"notices"`          // what the operator should know all the same
}

// DrainOutlook is the answer of GET /api/v1/pools/{pool}/nodes/{node}/drain: what a drain would meet now.
// Nothing has changed.
type DrainOutlook struct {
	Pool     string   `json:"pool"`
	Node     string   `json:"node"`
	Admin    string   `json:"admin"`
	Sessions int64    `json:"sessions"`          // that it has
	Others   int      `json:"others"`            // other nodes of the pool that are available
	Answer   *Answer  `json:"answer,omitempty"`  // of the node; absent where it cannot be asked
	Refusal  *Error   `json:"refusal,omitempty"` // why it would be refused without force; absent: it would not be
	Notices  []string `json:"notices"`           // what the operator should know all the same
}

// Answer is what a MinIO node says to whether its cluster can do without it.
type Answer struct {
	Safe   bool   `json:"safe"`
	Status int    `json:"status,omitempty"` // of HTTP; absent if there was no answer
	Text   string `json:"text"`
}

// DrainBegun is the answer of POST /api/v1/drain.
type DrainBegun struct {
	Sessions int64   `json:"sessions"`
	Grace    float64 `json:"grace"`   // seconds until no new session is taken
	Timeout  float64 `json:"timeout"` // seconds, from then, until the rest is cut
	Already  bool    `json:"already"` // it had begun before
}

// Event is one transition, on the stream of GET /api/v1/events.
type Event struct {
	ID       uint64    `json:"id"`
	Time     time.Time `json:"time"`
	Kind     string    `json:"kind"` // health busy admin eject member resolve reload certificate listener drain kill
	Pool     string    `json:"pool,omitempty"`
	Node     string    `json:"node,omitempty"`
	Listener string    `json:"listener,omitempty"`
	Old      string    `json:"old,omitempty"`
	New      string    `json:"new,omitempty"`
	Reason   string    `json:"reason,omitempty"`
}

// Events may be of these kinds. The others are the words of [pool.Kind].
const (
	KindReload      = "reload"      // New is "in effect" or "refused"
	KindCertificate = "certificate" // files of a listener have changed: New is "in use" or "refused"
	KindListener    = "listener"    // an address was bound or let go
	KindDrain       = "drain"       // the process leaves
	KindKill        = "kill"        // the operator ended sessions
	KindLost        = "lost"        // events are missing before this one; on streams only
)

// Kinds returns all kinds of events there are.
func Kinds() []string {
	return []string{
		string(pool.KindHealth), string(pool.KindBusy), string(pool.KindAdmin), string(pool.KindEject),
		string(pool.KindMember), string(pool.KindResolve),
		KindReload, KindCertificate, KindListener, KindDrain, KindKill, KindLost,
	}
}

// Readiness is the answer of GET /readyz.
type Readiness struct {
	Ready   bool     `json:"ready"`
	Reasons []string `json:"reasons"`
}

// Error is the body of every answer that is none of 2xx.
type Error struct {
	Error    string    `json:"error"`
	Hint     string    `json:"hint,omitempty"`     // what would be right
	Have     []string  `json:"have,omitempty"`     // what there is instead of what was named
	Answer   *Answer   `json:"answer,omitempty"`   // of the node, if that is why
	Problems []Problem `json:"problems,omitempty"` // of the configuration file
}

func fail(w http.ResponseWriter, status int, e Error) { reply(w, status, e) }

// reply writes v as JSON.
func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(true)
	enc.Encode(v) // an error is the client's: it is gone
}

func seconds(d time.Duration) float64 { return d.Seconds() }
