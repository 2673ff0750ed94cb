//go:build linux

package main

import (
	"fmt"
	"strings"
)

// nginxModule is where Debian's libnginx-mod-stream puts the module.
const nginxModule = "/usr/lib/nginx/modules/ngx_stream_module.so"

// nginxCommand runs nginx in the foreground with so many workers.
func nginxCommand(workers int, big bool) func(s site) ([]string, error) {
	return func(s site) ([]string, error) {
		path, err := s.writeConfig("nginx.conf", nginxConfig(s, workers, big))
		return []string{"nginx", "-e", "stderr", "-p", s.dir, "-c", path}, err
	}
}

// nginxConfig is nginx at its best, as tried out for each kind of load (NOTES.md). Without max_fails=0 a single connection that was slow
// under a storm takes its node out for ten seconds, and sessions fail.
func nginxConfig(s site, workers int, big bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "load_module %s;\nuser root;\ndaemon off;\nworker_processes %d;\nworker_rlimit_nofile %d;\n", nginxModule, workers, raiseFiles())
	fmt.Fprintf(&b, "error_log stderr crit;\npid %s/nginx.pid;\nevents {\n  worker_connections %d;\n  multi_accept on;\n  accept_mutex off;\n}\n", s.dir, raiseFiles())
	fmt.Fprintf(&b, "stream {\n  access_log off;\n  proxy_connect_timeout 10s;\n  proxy_timeout 1h;\n")
	if big {
		fmt.Fprintf(&b, "  proxy_buffer_size 1m;\n")
	}
	fmt.Fprintf(&b, "  upstream nodes {\n")
	for _, n := range s.nodes {
		fmt.Fprintf(&b, "    server %s max_fails=0;\n", n)
	}
	fmt.Fprintf(&b, "  }\n")
	to := "nodes"
	if s.mode == passByer {
		fmt.Fprintf(&b, "  map $ssl_preread_server_name $to {\n    %s nodes;\n  }\n", s.name)
		to = "$to"
	}
	listen := fmt.Sprintf("listen 0.0.0.0:%d backlog=65535", s.port)
	if workers > 1 {
		listen += " reuseport"
	}
	if s.mode == terminate {
		listen += " ssl"
	}
	fmt.Fprintf(&b, "  server {\n    %s;\n    proxy_pass %s;\n", listen, to)
	switch s.mode {
	case passByer:
		fmt.Fprintf(&b, "    ssl_preread on;\n")
	case terminate:
		fmt.Fprintf(&b, "    ssl_certificate %s;\n    ssl_certificate_key %s;\n    ssl_protocols TLSv1.3;\n    ssl_ecdh_curve %s;\n"+
			"    ssl_conf_command Ciphersuites %s;\n    ssl_session_cache shared:tls:10m;\n    ssl_alpn http/1.1;\n", s.certs, s.key, tlsCurve, tlsSuite)
	}
	fmt.Fprintf(&b, "  }\n}\n")
	return b.String()
}
