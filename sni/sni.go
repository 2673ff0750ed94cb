// Package sni is everything that is decided from a TLS ClientHello: who it asks for, which route that is,
// and, where TLS ends here, which certificate. It parses bytes that somebody else has read; it holds no
// socket, no file and no clock.
//
// A reader feeds a [Parser] with everything received so far until it has a verdict:
//
//	var p sni.Parser
//	for {
//		hello, err := p.Parse(buf)
//		if err == sni.ErrMore {
//			buf = … // read on, within a deadline and up to MaxHello bytes
//			continue
//		}
//		…
//	}
//
// The verdict is a [Hello], [ErrNotTLS] or a [Malformed]; [Table.Lookup] turns the hello into a
// route. The bytes are never changed: what was parsed is what is sent on.
//
// The parser is as strict as crypto/tls, so that a node and the router in front of it cannot read
// different names out of the same bytes. The differences are few, each has its reason where it is
// decided, and TestDifferences lists them: a trailing dot is dropped, records that are not
// handshake records are refused, and so are record versions that never were.
//
// Of a hello with Encrypted Client Hello (RFC 9849) only the outer name can be seen. It is the
// public name of whoever holds the key, and it is what is routed on; the inner name is not
// recoverable here. The package does not complete handshakes, and does not verify anything that is
// encrypted or signed.
//
// The wire format is RFC 8446 sections 4 and 5 (records, hello, extensions), RFC 6066 section 3
// (server name), RFC 7301 section 3.1 (ALPN).
package sni
