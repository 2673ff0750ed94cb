package configs

import (
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestExpand(t *testing.T) {
	for _, tt := range []struct {
		pattern string
		want    string // separated by spaces
	}{
		{"10.0.0.1:9000", "10.0.0.1:9000"},
		{"", ""},
		{"n{1...4}", "n1 n2 n3 n4"},
		{"n{4...4}", "n4"},
		{"n{0...2}", "n0 n1 n2"},
		{"n{8...11}", "n8 n9 n10 n11"},
		{"{1...2}:{9000...9001}", "1:9000 2:9000 1:9001 2:9001"},
		{"a{1...2}b{1...2}c{1...2}d", "a1b1c1d a2b1c1d a1b2c1d a2b2c1d a1b1c2d a2b1c2d a1b2c2d a2b2c2d"},
		{"n{01...03}", "n01 n02 n03"},
		{"n{01...003}", "n001 n002 n003"},
		{"n{1...03}", "n01 n02 n03"},
		{"n{00...2}", "n0 n1 n2"},
		{"n{008...011}", "n008 n009 n010 n011"},
		{"n{9...b}", "n9 na nb"},
		{"n{a...c}", "na nb nc"},
		{"n{0e...11a}"[:0] + "n{0e...01a}", "n00e n00f n010 n011 n012 n013 n014 n015 n016 n017 n018 n019 n01a"},
		{"n{fe...101}"[:0] + "n{fe...ff}", "nfe nff"},
	} {
		got, err := expand(tt.pattern, 100)
		if err != nil {
			t.Errorf("%s: %v", tt.pattern, err)
		} else if !slices.Equal(got, strings.Split(tt.want, " ")) {
			t.Errorf("%s: got %q, want %s", tt.pattern, got, tt.want)
		}
	}
}

func TestExpandErrors(t *testing.T) {
	for pattern, want := range map[string]string{
		"n{2...1}":                      "{2...1} counts down",
		"n{b...9}":                      "{b...9} counts down",
		"n{1..3}":                       "{1..3} is no range",
		"n{1....3}":                     "{1....3} is no range",
		"n{...}":                        "{...} is no range",
		"n{1...}":                       "{1...} is no range",
		"n{...1}":                       "{...1} is no range",
		"n{}":                           "{} is no range",
		"n{a,b}":                        "{a,b} is no range",
		"n{-1...1}":                     "{-1...1} is no range",
		"n{+1...2}":                     "{+1...2} is no range",
		"n{ 1...2}":                     "{ 1...2} is no range",
		"n{1_0...2_0}":                  "{1_0...2_0} is no range",
		"n{A...C}":                      "{A...C} is no range",
		"n{0xa...0xc}":                  "{0xa...0xc} is no range",
		"n{a...z}":                      "{a...z} is no range",
		"n{1...2":                       `"n{1...2" has a { without its }`,
		"n1...2":                        `"n1...2" has an ellipsis that is not between { and }`,
		"n1...2}":                       `"n1...2}" has an ellipsis that is not between { and }`,
		"n{{1...2}}":                    "{{1...2} is no range",
		"n{1...2}}":                     `"n{1...2}}" has an ellipsis that is not between { and }`,
		"n{10...1f}":                    "{10...1f} can be read in two ways: MinIO takes only one of its ends for hexadecimal",
		"n{f...10}":                     "{f...10} can be read in two ways: MinIO takes only one of its ends for hexadecimal",
		"n{1...101}":                    `"n{1...101}" stands for more than 100 addresses`,
		"n{1...10}{1...11}":             `"n{1...10}{1...11}" stands for more than 100 addresses`,
		"n{0...18446744073709551615}":   `"n{0...18446744073709551615}" stands for more than 100 addresses`,
		"n{0...18446744073709551616}":   "{0...18446744073709551616} is no range",
		strings.Repeat("{0...1}", 1000): strconv.Quote(strings.Repeat("{0...1}", 1000)) + " stands for more than 100 addresses",
	} {
		got, err := expand(pattern, 100)
		if err == nil {
			t.Errorf("%s: got %q, want an error", pattern, got)
		} else if err.Error() != want {
			t.Errorf("%s: got %s, want %s", pattern, err, want)
		}
	}
}

// FuzzExpand wants every expansion to be within its bound, without ellipses, and all different unless
// the pattern puts two ranges side by side.
func FuzzExpand(f *testing.F) {
	for _, pattern := range []string{"n{1...4}", "{01...12}.r{a...f}:{9000...9003}", "{0...18446744073709551615}", "}{", "{1...1}{1...1}"} {
		f.Add(pattern)
	}
	f.Fuzz(func(t *testing.T, pattern string) {
		got, err := expand(pattern, 64)
		if err != nil {
			return
		}
		if len(got) < 1 || len(got) > 64 {
			t.Fatalf("got %d", len(got))
		}
		for _, s := range got {
			if strings.ContainsAny(s, "{}") || strings.Contains(s, "...") {
				t.Errorf("%q of %q has an ellipsis", s, pattern)
			}
		}
		if !strings.Contains(pattern, "{") && got[0] != pattern {
			t.Errorf("got %q of %q", got[0], pattern)
		}
		sorted := slices.Sorted(slices.Values(got))
		if strings.Count(pattern, "{") == 1 && len(slices.Compact(sorted)) != len(got) {
			t.Errorf("got %q twice", got)
		}
	})
}
