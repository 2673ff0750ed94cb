//go:build linux

package main

import (
	"fmt"
	"strings"
)

// sluiceCommand runs the built binary with a file that says nothing but what it must: listener, pool, no record per
// session (no peer writes one here). Everything else is Sluice's default.
func sluiceCommand(binary, relay string) func(s site) ([]string, error) {
	return func(s site) ([]string, error) {
		path, err := s.writeConfig("sluice.toml", sluiceConfig(s, relay))
		return []string{binary, "run", "-c", path}, err
	}
}

func sluiceConfig(s site, relay string) string {
	var b strings.Builder
	if s.watch {
		fmt.Fprintf(&b, "[log]\noutput = %q\n[admin]\nlisten = %q\n\n", s.recordFile(), "unix:"+s.adminSocket())
	} else {
		fmt.Fprintf(&b, "[log]\nlevel = \"warn\"\nsessions = false\n\n")
	}
	if s.blind {
		fmt.Fprintf(&b, "[admin]\nlisten = \"\"\n\n")
	}
	fmt.Fprintf(&b, "[[listener]]\nname = \"bench\"\naddress = [\"0.0.0.0:%d\"]\n", s.port)
	if relay != "auto" {
		fmt.Fprintf(&b, "relay = %q\n", relay)
	}
	switch s.mode {
	case plain:
		fmt.Fprintf(&b, "pool = \"nodes\"\n")
	case passByer:
		fmt.Fprintf(&b, "tls = \"passthrough\"\n[[listener.route]]\nsni = [%q]\npool = \"nodes\"\n", s.name)
	case terminate:
		fmt.Fprintf(&b, "tls = \"terminate\"\npool = \"nodes\"\n[[listener.certificate]]\ncert = %q\nkey = %q\n", s.certs, s.key)
	}
	fmt.Fprintf(&b, "\n[[pool]]\nname = \"nodes\"\nnodes = [\"%s\"]\n", strings.Join(s.nodes, `", "`))
	if !s.checks {
		fmt.Fprintf(&b, "[pool.check]\ntype = \"none\"\n")
	}
	return b.String()
}
