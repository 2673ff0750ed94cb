package configs

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// checkKeys says which types of check each key is for. A key that is not here is for all.
var checkKeys = map[string][]CheckType{
	"path":        {CheckMinIO, CheckHTTP},
	"host":        {CheckMinIO, CheckHTTP},
	"status":      {CheckHTTP},
	"tls":         {CheckMinIO, CheckHTTP},
	"server_name": {CheckMinIO, CheckHTTP, CheckTLS},
}

func (f *file) validateCheck(t *entry, c *Check) {
	if t.isBad("type") {
		return // most of what follows depends on it
	}
	for _, e := range t.sorted() {
		if types := checkKeys[e.name]; types != nil && !slices.Contains(types, c.Type) {
			f.keyErr(e, fmt.Sprintf("a check of type %q has no %s", c.Type, e.name), meantType(e.name, types))
		}
	}
	if c.ServerName != "" && !c.TLS && c.Type != CheckTLS {
		f.err(t.at("server_name"), "this check does not speak TLS", "set tls = true as well, or leave it out")
	}
	if c.ServerName != "" {
		if why := badHost(c.ServerName); why != "" {
			f.err(t.at("server_name"), fmt.Sprintf("%s is not a host: %s", clipped(c.ServerName), why), "write a name that is in the nodes' certificates")
		}
	}
	if c.Type == CheckHTTP && !t.has("path") {
		c.Path = "/"
	}
	if c.Type == CheckHTTP || c.Type == CheckMinIO {
		f.validatePath(t, c)
	}
	for i, status := range c.Status {
		f.within(t.at("status").item(i), status, 100, 599)
	}
	f.within(t.at("port"), c.Port, 0, 65535)
	f.within(t.at("rise"), c.Rise, 1, 1000)
	f.within(t.at("fall"), c.Fall, 1, 1000)
	f.share(t.at("jitter"), c.Jitter, 0.5)
	f.between(t.at("interval"), c.Interval, 10*time.Millisecond, forever, "")
	f.between(t.at("timeout"), c.Timeout, time.Millisecond, forever, "")
	f.between(t.at("fast_interval"), c.Fast, 10*time.Millisecond, forever, "for a quarter of interval")
	if c.Fast > c.Interval {
		f.err(t.at("fast_interval"), fmt.Sprintf("%s is slower than interval, %s", short(c.Fast), short(c.Interval)), "set it below interval")
	}
}

// meantType says which types a key is for, or what to write instead.
func meantType(key string, types []CheckType) string {
	if key == "tls" {
		return `set type = "tls" for a handshake, or "http" for a request over TLS`
	}
	names := make([]string, len(types))
	for i, t := range types {
		names[i] = fmt.Sprintf("%q", t)
	}
	return "leave it out, or set type to " + strings.Join(names, " or ")
}

// validatePath checks what is asked of a node.
func (f *file) validatePath(t *entry, c *Check) {
	e := t.at("path")
	bad := func(r rune) bool { return r <= ' ' || r >= 127 }
	switch {
	case !strings.HasPrefix(c.Path, "/") || strings.ContainsFunc(c.Path, bad):
		f.err(e, clipped(c.Path)+" is not a path", `write one that begins with a slash and is escaped as in a URL, such as "/minio/health/live"`)
	case strings.HasPrefix(c.Path, "/minio/health/cluster"):
		f.warn(e, "this answers for the whole cluster: once it has lost its write quorum every node says 503 at once, and none would be left even for reads",
			`set path = "/minio/health/live"`)
	case strings.HasPrefix(c.Path, "/minio/health/ready"):
		f.warn(e, "this also asks the KMS and etcd, so every node goes down with them at once", `set path = "/minio/health/live"`)
	}
	if strings.ContainsFunc(c.Host, bad) {
		f.err(t.at("host"), clipped(c.Host)+" is not a Host header", "write a name, or a name and a port")
	}
}
