// Package sni is everything that is decided from a TLS ClientHello: who it asks for, and which route
// that is. It parses bytes that somebody else has read; it holds no socket and no clock.
package sni
