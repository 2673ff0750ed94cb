package sni

import (
	"slices"
	"strings"
	"testing"
)

func TestCheckName(t *testing.T) {
	const charset = "a label may have letters, digits, hyphens and underscores (write other scripts as xn--…)"
	const wildcard = `a wildcard is only possible as the whole first label, as in "*.s3.example.net"`
	const address = "it is an IP address, which a client never asks for by name (RFC 6066)"
	const colon = "it has a colon, but neither a port nor an IP address belongs here"
	tests := []struct {
		name string
		want string // behind the name; "" for none
	}{
		{"s3.example.net", ""},
		{"*.s3.example.net", ""},
		{"S3.Example.Net.", ""},
		{"localhost", ""},
		{"*.net", ""},
		{"minio.1", ""}, // a task of a container service, not an address
		{"1.2.3.4.example.net", ""},
		{strings.Repeat("a.", 126) + "a", ""},
		{"", "it is empty"},
		{"*.", "it is empty"},
		{".", "it is empty"},
		{"*", wildcard},
		{"**.example.net", wildcard},
		{"a*.example.net", wildcard},
		{"*.*.example.net", wildcard},
		{"a..example.net", "a label is empty or longer than 63 bytes"},
		{".example.net", "a label is empty or longer than 63 bytes"},
		{"example.net..", "a label is empty or longer than 63 bytes"},
		{strings.Repeat("a", 64) + ".net", "a label is empty or longer than 63 bytes"},
		{strings.Repeat("a.", 126) + "aa", "it is longer than 253 bytes"},
		{"bücher.example", charset},
		{"a b.example", charset},
		{"a.example/", charset},
		{"192.0.2.1", address},
		{"*.192.0.2.1", address},
		{"2001:db8::1", colon},
		{"s3.example.net:9000", colon},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := ""
			if err := CheckName(tt.name); err != nil {
				got = err.Error()
			}
			if !strings.HasSuffix(got, tt.want) || (got == "") != (tt.want == "") {
				t.Errorf("CheckName(%q) = %q, want %q", tt.name, got, tt.want)
			}
		})
	}
}

func TestNormalise(t *testing.T) {
	for name, want := range map[string]string{
		"a.test": "a.test", "A.Test.": "a.test", "a.test..": "", "": "", ".": "", "192.0.2.1": "", "1.2.3.04": "1.2.3.04", "*.test": "", "a\x00": "", "İ.test": "",
	} {
		if got := Normalise(name); got != want {
			t.Errorf("Normalise(%q) = %q, want %q", name, got, want)
		}
		if got := Normalise(want); got != want {
			t.Errorf("Normalise(%q) = %q, not itself", want, got)
		}
	}
}

func TestALPN(t *testing.T) {
	list := []string{"h2", "http/1.1", "\x00", strings.Repeat("x", 255)}
	a := Offer(append(list, "", strings.Repeat("y", 256))...)
	if got := a.Protocols(-1); !slices.Equal(got, list) {
		t.Errorf("protocols %q, want %q", got, list)
	}
	if got := a.Protocols(2); !slices.Equal(got, list[:2]) {
		t.Errorf("first two protocols %q, want %q", got, list[:2])
	}
	for _, p := range list {
		if !a.Offers(p) {
			t.Errorf("%q is not offered", p)
		}
	}
	for _, p := range []string{"", "h", "h2\x08", "http", "H2"} {
		if a.Offers(p) {
			t.Errorf("%q is offered", p)
		}
	}
	var none ALPN
	if none.Offers("") || none.Protocols(-1) != nil {
		t.Error("a nil ALPN offers something")
	}
	for p := range a.All() {
		if string(p) != "h2" {
			t.Errorf("first protocol %q", p)
		}
		break
	}
}
