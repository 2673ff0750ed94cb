package sni

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// setName takes over the host name of a hello.
func (h *Hello) setName(raw []byte) {
	h.ServerName = string(raw[:min(len(raw), MaxName+1)])
	if len(raw) <= MaxName+1 {
		h.Name = Normalise(h.ServerName)
	}
}

// Normalise is the form in which a server name is looked up, as in [Hello.Name]: lower case and without
// one trailing dot, or "" if it is no host name. It allocates only if the name has upper case.
func Normalise(name string) string {
	name = strings.TrimSuffix(name, ".")
	if hostName(name) != nil {
		return ""
	}
	return strings.ToLower(name)
}

// Why a name is no host name.
var (
	errEmpty     = errors.New("it is empty")
	errLong      = fmt.Errorf("it is longer than %d bytes", MaxName)
	errLabel     = errors.New("a label is empty or longer than 63 bytes")
	errCharacter = errors.New("a label may have letters, digits, hyphens and underscores (write other scripts as xn--…)")
	errColon     = errors.New("it has a colon, but neither a port nor an IP address belongs here")
	errAddress   = errors.New("it is an IP address, which a client never asks for by name (RFC 6066)")
)

// hostName says why name cannot be the name of a host, in text form and without a trailing dot
// (RFC 1123 section 2.1; underscores as they occur in practice).
func hostName(name string) error {
	if name == "" {
		return errEmpty
	}
	if len(name) > MaxName {
		return errLong
	}
	label := 0
	for i := range len(name) {
		switch c := name[i]; {
		case c == '.':
			if label == 0 {
				return errLabel
			}
			label = 0
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
			if label++; label > 63 {
				return errLabel
			}
		case c == ':':
			return errColon
		default:
			return errCharacter
		}
	}
	if label == 0 {
		return errLabel
	}
	if last := name[len(name)-1]; '0' <= last && last <= '9' {
		if _, err := netip.ParseAddr(name); err == nil {
			return errAddress
		}
	}
	return nil
}

// CheckName says what is wrong with a name that an operator gives for a route: a host name, or one behind
// "*." for every name below it. Upper case and one trailing dot are allowed; they make no
// difference.
func CheckName(name string) error {
	_, _, err := splitName(name)
	return err
}

// splitName takes a route's name apart: its normalised host name, and whether it stands for the names
// below that.
func splitName(name string) (host string, below bool, err error) {
	host, below = strings.CutPrefix(name, "*.")
	host = strings.TrimSuffix(host, ".")
	if strings.Contains(host, "*") {
		return "", false, fmt.Errorf("server name %q: a wildcard is only possible as the whole first label, as in %q", name, "*.s3.example.net")
	}
	if err := hostName(host); err != nil {
		return "", false, fmt.Errorf("server name %q: %w", name, err)
	}
	return strings.ToLower(host), below, nil
}
