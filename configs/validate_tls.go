package configs

import (
	"crypto/tls"
	"fmt"
	"slices"
)

// curves are the key exchanges that can be chosen, by the names that openssl and nginx use too.
var curves = map[string]tls.CurveID{
	"X25519MLKEM768":     tls.X25519MLKEM768,
	"SecP256r1MLKEM768":  tls.SecP256r1MLKEM768,
	"SecP384r1MLKEM1024": tls.SecP384r1MLKEM1024,
	"X25519":             tls.X25519,
	"P-256":              tls.CurveP256,
	"P-384":              tls.CurveP384,
	"P-521":              tls.CurveP521,
}

// Curve returns the key exchange that a name of [Listener.Curves] stands for.
func Curve(name string) (id tls.CurveID, ok bool) {
	id, ok = curves[name]
	return id, ok
}

// Cipher returns the suite that a name of [Listener.Ciphers] stands for: one of TLS 1.2, by its IANA
// name, and none that crypto/tls holds for insecure.
func Cipher(name string) (id uint16, ok bool) {
	for _, suite := range tls.CipherSuites() {
		if suite.Name == name && slices.Contains(suite.SupportedVersions, uint16(tls.VersionTLS12)) {
			return suite.ID, true
		}
	}
	return 0, false
}

// terminateOnly are the keys of a listener that mean something only where TLS ends.
var terminateOnly = []string{"certificate", "client_auth", "ech", "min_version", "ciphers", "curves", "alpn"}

// validateTermination checks the keys about TLS that ends here, and that they are not given elsewhere.
func (f *file) validateTermination(t *entry, l *Listener) {
	if l.TLS != Terminate {
		for _, key := range terminateOnly {
			if t.has(key) {
				f.keyErr(t.at(key), fmt.Sprintf("TLS does not end at this listener (tls = %q)", l.TLS), `set tls = "terminate", or leave it out`)
			}
		}
		return
	}
	if len(l.Certificates) == 0 {
		f.err(t.at("certificate"), "TLS cannot end here without a certificate", "write [[listener.certificate]], with cert and key")
	}
	for _, c := range l.Certificates {
		f.required(f.entries[c], "cert", c.Cert, "the PEM file of the certificate and its chain")
		f.required(f.entries[c], "key", c.Key, "the PEM file of its key")
	}
	if l.ClientAuth != nil {
		f.required(f.entries[l.ClientAuth], "ca", l.ClientAuth.CA, "the PEM file of the authorities that sign clients' certificates")
	}
	for _, k := range l.ECH {
		f.required(f.entries[k], "config", k.Config, "the file of the ECHConfig")
		f.required(f.entries[k], "key", k.Key, "the file of its private key")
	}
	f.validateALPN(t.at("alpn"), l.ALPN)
	f.validateCiphers(t, l)
	var known []string
	for name := range curves {
		known = append(known, name)
	}
	slices.Sort(known)
	for i, name := range l.Curves {
		if _, ok := Curve(name); !ok {
			f.err(t.at("curves").item(i), clipped(name)+" is not known", oneOf(name, known))
		}
	}
}

func (f *file) validateCiphers(t *entry, l *Listener) {
	if len(l.Ciphers) > 0 && l.MinVersion == TLS13 {
		f.err(t.at("ciphers"), "TLS 1.3 leaves no choice of ciphers, and min_version allows nothing else", "leave one of the two out")
		return
	}
	var known []string
	for _, suite := range tls.CipherSuites() {
		if _, ok := Cipher(suite.Name); ok {
			known = append(known, suite.Name)
		}
	}
	for i, name := range l.Ciphers {
		if _, ok := Cipher(name); ok {
			continue
		}
		what, right := clipped(name)+" is not known", oneOf(name, known)
		for _, suite := range tls.CipherSuites() {
			if suite.Name == name {
				what, right = name+" is of TLS 1.3, whose ciphers cannot be chosen", "leave it out; it is on"
			}
		}
		for _, suite := range tls.InsecureCipherSuites() {
			if suite.Name == name {
				what, right = name+" is insecure", oneOf("", known)
			}
		}
		f.err(t.at("ciphers").item(i), what, right)
	}
}

// required reports a key that is missing or empty.
func (f *file) required(t *entry, key, value, meaning string) {
	if value == "" {
		f.err(t.at(key), "there is no "+key, "set it to "+meaning)
	}
}

// validateNodeTLS checks how nodes are spoken to.
func (f *file) validateNodeTLS(t *entry, p *Pool) {
	s := &p.TLS
	if s.Cert == "" && s.Key != "" {
		f.err(t.at("key"), "there is a key without its certificate", "set cert as well")
	}
	if s.Key == "" && s.Cert != "" {
		f.err(t.at("cert"), "there is a certificate without its key", "set key as well")
	}
	if s.ServerName != "" {
		if why := badHost(s.ServerName); why != "" {
			f.err(t.at("server_name"), fmt.Sprintf("%s is not a host: %s", clipped(s.ServerName), why), "write a name that is in the nodes' certificates")
		}
	}
	if s.Insecure && s.CA != "" {
		f.warn(t.at("ca"), "nothing is verified, since insecure says so", "leave one of the two out")
	} else if s.Insecure {
		f.warn(t.at("insecure"), "whoever answers at a node's address is believed", "set ca to the nodes' authority instead")
	}
	spoken := s.Enabled || p.Check.TLS || p.Check.Type == CheckTLS
	for _, e := range t.sorted() {
		if !spoken && e.name != "enabled" && !t.isBad("enabled") {
			f.warn(e, "nothing speaks TLS to the nodes of this pool, so this has no effect", "set tls.enabled or check.tls, or leave it out")
		}
	}
}
