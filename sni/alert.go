package sni

// The whole plaintext records to send before the connection of a client is closed that has no route
// or no sound hello (RFC 8446 section 6). They are strings so that nobody can change them.
//
// Their record version is 3.1, as crypto/tls writes it while no version is agreed, so a client
// that comes through Sluice reads the bytes that a MinIO node would send it. Clients of TLS 1.3 must
// ignore the field (RFC 8446 section 5.1), and 3.1 is the only value that a client limited
// to TLS 1.0 knows.
const (
	// AlertUnrecognizedName answers a hello whose name has no route: fatal, 112.
	AlertUnrecognizedName = "\x15\x03\x01\x00\x02\x02\x70"
	// AlertDecodeError answers a [Malformed] hello: fatal, 50.
	AlertDecodeError = "\x15\x03\x01\x00\x02\x02\x32"
)
