package verify

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/minio/minio-go/v7"
)

// adviceFor says what to do about an error that a step did not expect, judged by its kind alone.
func adviceFor(err error) string {
	text := err.Error()
	says := func(words string) bool { return strings.Contains(text, words) } // errors that have no type of their own
	_, notTLS := errors.AsType[tls.RecordHeaderError](err)
	netErr, isNet := errors.AsType[net.Error](err)
	switch {
	case says("remote error: tls: unrecognized name"): // alert 112, RFC 6066 section 3
		return "The balancer has no route for this name: add it to the sni of a [[listener.route]], or give the listener a default pool."
	case says("remote error: tls: error decoding message"): // alert 50
		return "The balancer or the node could not read the TLS hello: something between here and there changes it."
	case says("remote error: tls:"):
		return "The server refused the handshake. Its own log says why."
	case notTLS:
		return "That port does not speak TLS. Ask it with http://, or turn TLS on where it should end: on the nodes, or in Sluice."
	case says("malformed HTTP response"):
		return "That port does not speak plain HTTP. Ask it with https://."
	case errors.Is(err, syscall.ECONNREFUSED):
		return "Nothing listens there. Is the balancer running, and is this one of its addresses and ports?"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "There is no way to that address from here: check the address, the routes and the firewalls between."
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), isNet && netErr.Timeout(),
		says("no answer within"):
		return "Nothing came back in time. A firewall that drops packets looks like this, and so does a node that hangs: see " +
			"which nodes the balancer takes for up."
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE),
		says("server closed idle connection"):
		return "The connection was taken and then closed. The balancer does that if no node is available, if allow or deny " +
			"keep this client out, if a name has no route, or if it waits for a PROXY header; a node does it if it gets one (pool.proxy)."
	}
	return adviceForS3(minio.ToErrorResponse(err).Code)
}

// adviceForS3 knows the errors of S3 by their code.
func adviceForS3(code string) string {
	switch code {
	case "InvalidAccessKeyId":
		return "The cluster does not know this access key. Check --access-key, and that the address leads to the right cluster."
	case "SignatureDoesNotMatch":
		return "The secret key is wrong, or something between changes the request: a signature covers the path and the Host header, " +
			"so S3 needs a host name of its own and no proxy that rewrites either."
	case "RequestTimeTooSkewed":
		return "The clocks of this machine and of the nodes are more than 15 minutes apart."
	case "AccessDenied":
		return "The keys are good but may not do this. Use keys that may, or --bucket with a bucket they may read and write."
	case "NoSuchBucket":
		return "There is no such bucket. Make it, or leave --bucket away to use a temporary one."
	case "XMinioStorageFull":
		return "The cluster's drives are full."
	case "SlowDown", "SlowDownRead", "SlowDownWrite", "XMinioServerNotInitialized", "ServerNotInitialized":
		return "The cluster has lost its quorum, is starting, or has more to do than it can: ask it with mc admin info."
	}
	return "The node's own log says more about it."
}
