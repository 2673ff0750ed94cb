package sni

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// table builds one whose values are the routes' own text.
func table(t testing.TB, routes ...Route[string]) *Table[string] {
	t.Helper()
	tab, err := NewTable(routes)
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

func TestLookup(t *testing.T) {
	tab := table(t,
		Route[string]{Names: []string{"s3.example.net", "S3.Example.ORG."}, Value: "exact"},
		Route[string]{Names: []string{"*.s3.example.net"}, Value: "buckets"},
		Route[string]{Names: []string{"*.example.net"}, Value: "all"},
		Route[string]{Names: []string{"*.NET."}, Value: "net"},
		Route[string]{Names: []string{"special.s3.example.net"}, Value: "special"},
		Route[string]{Names: []string{"h2.example.net"}, ALPN: []string{"h2"}, Value: "h2"},
		Route[string]{Names: []string{"both.test"}, Value: "any"},
		Route[string]{Names: []string{"both.test"}, ALPN: []string{"h2", "h3"}, Value: "h2"},
		Route[string]{Names: []string{"both.test"}, ALPN: []string{"http/1.1"}, Value: "h1"},
		Route[string]{Names: []string{"*.both.test"}, ALPN: []string{"mqtt"}, Value: "mqtt"},
		Route[string]{Names: []string{"localhost"}, Value: "one label"},
	)
	tests := []struct {
		name string
		alpn []string
		want string // "" for none
	}{
		{"s3.example.net", nil, "exact"},
		{"s3.example.org", nil, "exact"},
		{"a.s3.example.net", nil, "buckets"},
		{"a.b.s3.example.net", nil, "buckets"},
		{"as3.example.net", nil, "all"},
		{"special.s3.example.net", nil, "special"},
		{"a.special.s3.example.net", nil, "buckets"},
		{"www.example.net", nil, "all"},
		{"example.net", nil, "net"},
		{"net", nil, ""},
		{"s3.example.net.evil.test", nil, ""},
		{"example.org", nil, ""},
		{"localhost", nil, "one label"},
		{"a.localhost", nil, ""},
		{"", nil, ""},

		{"h2.example.net", []string{"h2"}, "h2"},
		{"h2.example.net", []string{"http/1.1"}, "all"}, // the next best name
		{"h2.example.net", nil, "all"},
		{"both.test", nil, "any"},
		{"both.test", []string{"spdy/1"}, "any"},
		{"both.test", []string{"h2"}, "h2"},
		{"both.test", []string{"h3"}, "h2"},
		{"both.test", []string{"http/1.1"}, "h1"},
		{"both.test", []string{"http/1.1", "h2"}, "h2"}, // the operator's order, not the client's
		{"a.both.test", []string{"h2", "mqtt"}, "mqtt"},
		{"a.both.test", []string{"h2"}, ""},
		{"a.both.test", []string{"mqt", "mqttt"}, ""},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.name, tt.alpn), func(t *testing.T) {
			got, ok := tab.Lookup(tt.name, Offer(tt.alpn...))
			if got != tt.want || ok != (tt.want != "") {
				t.Errorf("route %q, %v; want %q", got, ok, tt.want)
			}
			want := tt.want
			if want == "" {
				want = "default"
			}
			if got, ok := tab.WithDefault("default").Lookup(tt.name, Offer(tt.alpn...)); got != want || !ok {
				t.Errorf("with a default: %q, %v; want %q", got, ok, want)
			}
		})
	}
	if _, ok := tab.Lookup("nothing.test", nil); ok {
		t.Error("WithDefault changed the table it was called on")
	}
	var zero Table[string]
	if _, ok := zero.Lookup("a.test", nil); ok {
		t.Error("the zero value has a route")
	}
}

func TestRouteErrors(t *testing.T) {
	r := func(names string, alpn ...string) Route[int] {
		return Route[int]{Names: strings.Fields(names), ALPN: alpn}
	}
	tests := []struct {
		name   string
		routes []Route[int]
		want   []RouteError
	}{
		{"fine", []Route[int]{r("a.test *.a.test"), r("b.test"), r("*.b.test")}, nil},
		{"conditions", []Route[int]{r("a.test", "h2"), r("a.test"), r("a.test", "http/1.1"), r("a.test", "h2", "h3")}, nil},
		{"twice", []Route[int]{r("a.test"), r("b.test A.TEST.")},
			[]RouteError{{Problem: Duplicate, Route: 1, Name: 1, Other: 0, Subject: "A.TEST."}}},
		{"twice in one", []Route[int]{r("*.a.test *.A.test")},
			[]RouteError{{Problem: Duplicate, Route: 0, Name: 1, Other: 0, Subject: "*.A.test"}}},
		{"same condition", []Route[int]{r("a.test", "h2", "h3"), r("a.test"), r("a.test", "h3", "h2")},
			[]RouteError{{Problem: Duplicate, Route: 2, Name: 0, Other: 0, Subject: "a.test"}}},
		{"part of a condition", []Route[int]{r("a.test", "h2", "h3"), r("a.test", "h2")},
			[]RouteError{{Problem: Unreachable, Route: 1, Name: 0, Other: 0, Subject: "a.test"}}},
		{"covered by two", []Route[int]{r("a.test", "h2"), r("a.test", "h3"), r("a.test", "h3", "h2")},
			[]RouteError{{Problem: Unreachable, Route: 2, Name: 0, Other: 1, Subject: "a.test"}}},
		{"no name", []Route[int]{r("")},
			[]RouteError{{Problem: NoName, Route: 0, Name: -1, Other: -1}}},
		{"bad protocol", []Route[int]{r("a.test", ""), r("b.test", strings.Repeat("x", 256))},
			[]RouteError{
				{Problem: BadProtocol, Route: 0, Name: -1, Other: -1},
				{Problem: BadProtocol, Route: 1, Name: -1, Other: -1, Subject: strings.Repeat("x", 256)}}},
		{"all at once", []Route[int]{r("a.test a.*.test"), r("192.0.2.1 a.test")},
			[]RouteError{
				{Problem: BadName, Route: 0, Name: 1, Other: -1, Subject: "a.*.test"},
				{Problem: BadName, Route: 1, Name: 0, Other: -1, Subject: "192.0.2.1"},
				{Problem: Duplicate, Route: 1, Name: 1, Other: 0, Subject: "a.test"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tab, err := NewTable(tt.routes)
			if (tab == nil) != (err != nil) {
				t.Errorf("table %v and error %v", tab, err)
			}
			var got []RouteError
			if joined, ok := err.(interface{ Unwrap() []error }); ok {
				for _, e := range joined.Unwrap() {
					re, ok := errors.AsType[*RouteError](e)
					if !ok {
						t.Fatalf("%T: %v is no RouteError", e, e)
					}
					if (re.Problem == BadName || re.Problem == BadProtocol) != (re.Err != nil) {
						t.Errorf("%s: cause %v", re.Problem, re.Err)
					}
					flat := *re
					flat.Err = nil
					got = append(got, flat)
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(tt.want) {
				t.Errorf("got %+v\nwant %+v", got, tt.want)
			}
		})
	}
}

// TestRouteErrorText pins what the operator reads.
func TestRouteErrorText(t *testing.T) {
	_, err := NewTable([]Route[int]{
		{Names: []string{"a.test", "A.test"}},
		{Names: []string{"a.test", "b c.test"}},
		{},
		{Names: []string{"x.test"}, ALPN: []string{"h2", ""}},
		{Names: []string{"y.test"}, ALPN: []string{"h2", "h3"}},
		{Names: []string{"y.test"}, ALPN: []string{"h2"}},
	})
	want := `route[0]: server name "A.test" is there twice
route[1]: server name "a.test" is in route[0] already
route[1]: server name "b c.test": a label may have letters, digits, hyphens and underscores (write other scripts as xn--…)
route[2]: no server name, so it matches nothing
route[3]: ALPN protocol "": it must have 1 to 255 bytes
route[5]: server name "y.test" never matches: route[4] takes all it could`
	if got := fmt.Sprint(err); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestLookupAllocs(t *testing.T) {
	tab := table(t,
		Route[string]{Names: []string{"s3.example.net", "*.s3.example.net"}, Value: "s3"},
		Route[string]{Names: []string{"*.example.net"}, ALPN: []string{"h3", "h2"}, Value: "h2"},
	).WithDefault("default")
	alpn := Offer("http/1.1", "h2")
	for name, want := range map[string]string{"s3.example.net": "s3", "a.b.s3.example.net": "s3", "a.b.example.net": "h2", "x.test": "default", "": "default"} {
		got := testing.AllocsPerRun(100, func() {
			if v, _ := tab.Lookup(name, alpn); v != want {
				t.Errorf("%q leads to %q, want %q", name, v, want)
			}
		})
		if got != 0 {
			t.Errorf("Lookup(%q): %v allocations, want none", name, got)
		}
	}
}

// BenchmarkLookup has a thousand routes and the worst name.
func BenchmarkLookup(b *testing.B) {
	var routes []Route[int]
	for i := range 1000 {
		routes = append(routes, Route[int]{Names: []string{fmt.Sprintf("h%d.example.net", i), fmt.Sprintf("*.h%d.example.net", i)}, Value: i})
	}
	tab, err := NewTable(routes)
	if err != nil {
		b.Fatal(err)
	}
	for name, host := range map[string]string{"exact": "h7.example.net", "suffix": "a.b.h7.example.net", "worst": strings.Repeat("a.", 126) + "a"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				tab.Lookup(host, nil)
			}
		})
	}
}
