// Package l4 moves the bytes: listeners, sessions, relay, PROXY protocol and TLS termination.
package l4
