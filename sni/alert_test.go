package sni

import (
	"bytes"
	"crypto/tls"
	"io"
	"strings"
	"testing"
)

// TestAlerts lets a client of every version read the alerts.
func TestAlerts(t *testing.T) {
	for alert, want := range map[string]string{
		AlertUnrecognizedName: "unrecognized name",
		AlertDecodeError:      "error decoding message",
	} {
		for version := uint16(tls.VersionTLS10); version <= tls.VersionTLS13; version++ {
			conn := readOnly{r: bytes.NewReader([]byte(alert))}
			err := tls.Client(conn, &tls.Config{ServerName: "a.test", MinVersion: version, MaxVersion: version}).Handshake()
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s client: %v, want %q", tls.VersionName(version), err, want)
			}
			if rest, _ := io.ReadAll(conn.r); len(rest) > 0 {
				t.Errorf("%s client: % x not read", tls.VersionName(version), rest)
			}
		}
	}
}
