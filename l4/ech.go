package l4

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/hpke"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/sluicelb/sluice/configs"
	"golang.org/x/crypto/cryptobyte"
)

// An echKey opens the Encrypted Client Hellos (RFC 9849) of clients that use its configuration.
type echKey struct {
	tls.EncryptedClientHelloKey
	publicName string // the outer name of such hellos
}

// readECH reads an ECH key. The configuration is the serialized ECHConfig, or a PEM block ECHCONFIG with a
// list of one; the key is the serialized HPKE private key, or PKCS#8 in PEM.
func readECH(k *configs.ECHKey) (*echKey, error) {
	text, err := readFile(k.Config)
	if err != nil {
		return nil, fmt.Errorf("ECH configuration: %w", err)
	}
	config := single(text)
	kem, public, name, err := parseECHConfig(config)
	if err != nil {
		return nil, fmt.Errorf("ECH configuration %q: %w", k.Config, err)
	}
	if text, err = readFile(k.Key); err != nil {
		return nil, fmt.Errorf("ECH key: %w", err)
	}
	key, err := hpkeKey(text)
	if err != nil {
		return nil, fmt.Errorf("ECH key %q: %w", k.Key, err)
	}
	private, err := kem.NewPrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("ECH key %q: %w", k.Key, err)
	}
	if !bytes.Equal(private.PublicKey().Bytes(), public) {
		return nil, fmt.Errorf("ECH key %q: it is not the key of configuration %q: was one of the two replaced without the other?", k.Key, k.Config)
	}
	return &echKey{tls.EncryptedClientHelloKey{Config: config, PrivateKey: key, SendAsRetry: k.Retry}, name}, nil
}

// single is the ECHConfig in a file that holds it alone, or in a list of one, or that in PEM.
func single(text []byte) []byte {
	for block := range blocks(text) {
		if block.Type == "ECHCONFIG" {
			text = block.Bytes
			break
		}
	}
	list, rest := cryptobyte.String(text), cryptobyte.String(nil)
	if list.ReadUint16LengthPrefixed(&rest) && list.Empty() {
		return rest
	}
	return text
}

// echVersion is the version of ECHConfig in RFC 9849, section 4.
const echVersion = 0xfe0d

// parseECHConfig reads what matters of an ECHConfig (RFC 9849, section 4):
//
//	version 2, <2> { config_id 1, kem_id 2, public_key <2>, cipher_suites <2>, maximum_name_length 1,
//	public_name <1>, extensions <2> }
//
// where <n> is a vector behind a length of n bytes.
func parseECHConfig(config []byte) (kem hpke.KEM, public []byte, name string, err error) {
	s := cryptobyte.String(config)
	var version, kemID uint16
	var body, key, suites, publicName, extensions cryptobyte.String
	if !s.ReadUint16(&version) || !s.ReadUint16LengthPrefixed(&body) || !s.Empty() {
		return nil, nil, "", errors.New("it is no ECHConfig: write one, serialized or in PEM, to the file")
	}
	if version != echVersion {
		return nil, nil, "", fmt.Errorf("its version is %#04x, not %#04x of RFC 9849", version, echVersion)
	}
	if !body.Skip(1) || !body.ReadUint16(&kemID) || !body.ReadUint16LengthPrefixed(&key) ||
		!body.ReadUint16LengthPrefixed(&suites) || !body.Skip(1) ||
		!body.ReadUint8LengthPrefixed(&publicName) || !body.ReadUint16LengthPrefixed(&extensions) || !body.Empty() {
		return nil, nil, "", errors.New("it is no sound ECHConfig")
	}
	if kem, err = hpke.NewKEM(kemID); err != nil {
		return nil, nil, "", fmt.Errorf("its KEM %#04x is not supported: use DHKEM(X25519, HKDF-SHA256)", kemID)
	}
	return kem, key, string(publicName), nil
}

// hpkeKey is the serialized private key in a file that holds just that, or PKCS#8 in PEM.
func hpkeKey(text []byte) ([]byte, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return text, nil
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	switch key := key.(type) {
	case *ecdh.PrivateKey:
		return key.Bytes(), nil
	case *ecdsa.PrivateKey:
		private, err := key.ECDH()
		if err != nil {
			return nil, err
		}
		return private.Bytes(), nil
	}
	return nil, fmt.Errorf("a key of type %T is of no use here: use X25519", key)
}
