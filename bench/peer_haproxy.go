//go:build linux

package main

import (
	"fmt"
	"strings"
)

// haproxyCommand runs HAProxy in the foreground with so many threads.
func haproxyCommand(threads int, big bool) func(s site) ([]string, error) {
	return func(s site) ([]string, error) {
		path, err := s.writeConfig("haproxy.cfg", haproxyConfig(s, threads, big))
		return []string{"haproxy", "-db", "-f", path}, err
	}
}

// haproxyPipes is more than the streams of any scenario need. HAProxy refuses to start when its connections and pipes might
// not fit into the limit on open files, and by itself asks for a pipe for every fourth connection.
const haproxyPipes = 64

// haproxyConfig is HAProxy at its best, as tried out for each kind of load (NOTES.md).
func haproxyConfig(s site, threads int, big bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "global\n  nbthread %d\n  maxconn %d\n  maxpipes %d\n  tune.pipesize 1048576\n", threads, (raiseFiles()-600)/2, haproxyPipes)
	if big {
		fmt.Fprintf(&b, "  tune.bufsize 1048576\n")
	}
	if s.mode == terminate {
		fmt.Fprintf(&b, "  ssl-default-bind-ciphersuites %s\n  ssl-default-bind-curves %s\n  ssl-default-bind-options ssl-min-ver TLSv1.3\n",
			tlsSuite, tlsCurve)
	}
	fmt.Fprintf(&b, "\ndefaults\n  mode tcp\n  timeout connect 10s\n  timeout client 1h\n  timeout server 1h\n")
	if s.bulk {
		fmt.Fprintf(&b, "  option splice-request\n  option splice-response\n")
	}
	fmt.Fprintf(&b, "\nfrontend bench\n  bind 0.0.0.0:%d backlog 65535", s.port)
	switch s.mode {
	case plain:
		fmt.Fprintf(&b, "\n  default_backend nodes\n")
	case passByer:
		fmt.Fprintf(&b, "\n  tcp-request inspect-delay 5s\n  tcp-request content accept if { req.ssl_hello_type 1 }\n"+
			"  use_backend nodes if { req.ssl_sni -i %s }\n", s.name)
	case terminate:
		fmt.Fprintf(&b, " ssl crt %s alpn http/1.1\n  default_backend nodes\n", s.cert)
	}
	fmt.Fprintf(&b, "\nbackend nodes\n  balance roundrobin\n")
	for i, n := range s.nodes {
		fmt.Fprintf(&b, "  server n%d %s", i+1, n)
		if s.checks {
			fmt.Fprintf(&b, " check inter 2s")
		}
		fmt.Fprintln(&b)
	}
	return b.String()
}
