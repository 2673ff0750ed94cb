//go:build interop && linux

package interop

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sluicelb/sluice/cmd/internal/need"
)

// What testssl.sh is allowed to find: the severity is not that of Sluice, for the reason given.
var excused = map[string]string{
	"cert_chain_of_trust":   "the certificates are self-signed",
	"cert_expirationStatus": "and for a week",
	"cert_notAfter":         "likewise",
	"cert_revocation":       "nobody revokes them",
	"DNS_CAArecord":         "the name is nobody's",
	// crypto/tls writes seven days into the tickets of TLS 1.3, as a constant. Keys are gone after one, and what they
	// have sealed is refused: TestTicketKeysRotate in l4.
	"TLS_session_ticket": "the hint of crypto/tls, not the lifetime",
}

// The marks that testssl.sh gives which are findings. It also has DEBUG, INFO, OK, and WARN for what it cannot test.
var findings = []string{"LOW", "MEDIUM", "HIGH", "CRITICAL", "FATAL"}

// A finding is one of testssl.sh, as its --jsonfile has it.
type finding struct {
	ID       string
	Severity string
	Finding  string
}

// testssl scans an address. Checks say what for, in its own options.
func testssl(t *testing.T, address string, checks ...string) (all []finding) {
	t.Helper()
	to := filepath.Join(t.TempDir(), "findings.json")
	host, port, _ := strings.Cut(address, ":")
	args := append([]string{"--quiet", "--color", "0", "--warnings", "off", "--nodns", "none", "--openssl-timeout", "5",
		"--ip", host, "--jsonfile", to}, checks...)
	cmd := exec.CommandContext(t.Context(), need.Program(t, "testssl"), append(args, shop+":"+port)...)
	said, err := cmd.CombinedOutput() // its exit code counts findings
	text, unread := os.ReadFile(to)
	if unread != nil {
		t.Fatalf("testssl: %v, %v:\n%s", err, unread, said)
	}
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatalf("testssl: %v:\n%s", err, text)
	}
	return all
}

// A terminating listener in the eyes of testssl.sh: no weakness, and what is configured, neither more nor less.
func TestTestSSL(t *testing.T) {
	t.Parallel()
	need.Program(t, "testssl")
	rsa, rsaKey := rsaPair(t)
	ecdsa := pemFile(t, issue(t, shop, shop))
	in13 := []string{"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}
	tests := []struct {
		name      string
		keys      string
		checks    []string
		protocols []string
		ciphers   []string // by their IANA names
		curves    string   // of those that testssl.sh knows
	}{
		{
			"as it comes", "",
			[]string{"-p", "-s", "-f", "-P", "-S", "-U", "-E"},
			[]string{"TLS1_2", "TLS1_3"},
			append([]string{
				"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
				"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
			}, in13...),
			"prime256v1 secp384r1 secp521r1 X25519",
		},
		{
			"one suite, one curve", `
ciphers = ["TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"]
curves  = ["P-384"]`,
			[]string{"-p", "-f", "-E"},
			[]string{"TLS1_2", "TLS1_3"},
			append([]string{"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"}, in13...),
			"secp384r1",
		},
		{
			"TLS 1.3 only", `min_version = "1.3"`,
			[]string{"-p", "-E"},
			[]string{"TLS1_3"}, in13, "",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			edge := start(t, `
[[listener]]
name    = "edge"
address = "127.0.0.1:0"
tls     = "terminate"
pool    = "nodes"
{keys}
[[listener.certificate]]
cert = "{ecdsa}"
key  = "{ecdsa}"
[[listener.certificate]]
cert = "{rsa}"
key  = "{rsa_key}"
[[pool]]
name  = "nodes"
nodes = ["{node}"]
check = { type = "none" }
`, "keys", tt.keys, "ecdsa", ecdsa, "rsa", rsa, "rsa_key", rsaKey, "node", newRecorder(t, "127.0.0.1:0").address).at["edge"]
			var protocols, ciphers []string
			curves := ""
			for _, f := range testssl(t, edge, tt.checks...) {
				id, _, _ := strings.Cut(f.ID, " ") // " <cert#1>"
				if slices.Contains(findings, f.Severity) && excused[id] == "" {
					t.Errorf("%s %s: %s", f.Severity, f.ID, f.Finding)
				}
				switch {
				case (strings.HasPrefix(id, "SSL") || strings.HasPrefix(id, "TLS")) && strings.HasPrefix(f.Finding, "offered"):
					protocols = append(protocols, id)
				case strings.HasPrefix(id, "cipher-tls"):
					words := strings.Fields(f.Finding)
					ciphers = append(ciphers, words[len(words)-1])
				case id == "PFS_ECDHE_curves":
					curves = strings.TrimSpace(f.Finding)
				}
			}
			slices.Sort(ciphers)
			slices.Sort(tt.ciphers)
			if !slices.Equal(protocols, tt.protocols) {
				t.Errorf("offered: %q, want %q", protocols, tt.protocols)
			}
			if !slices.Equal(ciphers, tt.ciphers) {
				t.Errorf("ciphers: %q\nwant %q", ciphers, tt.ciphers)
			}
			if curves != tt.curves {
				t.Errorf("curves: %q, want %q", curves, tt.curves)
			}
		})
	}
}
