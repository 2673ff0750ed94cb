package configs

import "testing"

func TestClosest(t *testing.T) {
	have := []string{"balance", "backup", "leastconn", "leastbytes", "passthrough", "s3", "", "minio"}
	for word, want := range map[string]string{
		"balnce":        "balance", // one missing
		"ballance":      "balance", // one too many
		"balamce":       "balance", // one wrong
		"abckup":        "backup",  // two swapped
		"LEASTCONN":     "leastconn",
		"least_conn":    "leastconn",
		"passthru":      "passthrough", // the same beginning
		"minoi":         "minio",
		"S3":            "s3",
		"s4":            "s3",
		"haproxy":       "",
		"":              "",
		"leastcrowdedx": "",
	} {
		got, ok := closest(word, have)
		if got != want || ok != (want != "") {
			t.Errorf("%q: got %q, %v, want %q", word, got, ok, want)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"abc", "abc", 0}, {"abc", "acb", 1}, {"abc", "bca", 2},
		{"kitten", "sitting", 3}, {"ab", "ba", 1}, {"abcd", "badc", 2},
	} {
		if got := distance(tt.a, tt.b); got != tt.want {
			t.Errorf("%q to %q: got %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}
