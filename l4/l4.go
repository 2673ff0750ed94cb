// Package l4 moves the bytes: it accepts connections, reads what decides where they go, finds a node for
// them and relays, until both sides have finished.
//
// A [Server] is given a configuration with Apply, as often as it changes. What happens to a session, in
// order:
//
//	accept -> [PROXY header] -> [hello] -> route -> pick -> dial -> [PROXY header] -> relay -> linger -> end
//
// Two engines do this with one behaviour. The reactor (loop_linux.go, Linux only) keeps plain and
// passthrough sessions in event loops and moves bulk by splice(2). The copy engine (serve.go) gives each
// session goroutines; it serves where TLS ends here, on other systems, and where a listener asks for
// it. What decides is shared and does no I/O: rules, opening, cause, the table of package sni and the
// pick of package pool.
//
// It never looks into what it relays, and it knows nothing of files, signals or the admin API.
package l4
