package configs

import (
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write what is reported into the files of testdata")

// everything is the table of refusals that lets every key of the schema pass.
var everything []refusal

// TestBad compares the problems of each file in full with those that its first lines name. The files
// of testdata/bad are read as if every key were supported, so that validation is held for those too
// that are still refused; testdata/refused shows the refusals. Run with -update to rewrite the lines,
// then read the diff.
func TestBad(t *testing.T) {
	for dir, refused := range map[string][]refusal{"bad": everything, "refused": unsupported} {
		files, err := filepath.Glob(filepath.Join("testdata", dir, "*.toml"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no files in %s: %v", dir, err)
		}
		for _, path := range files {
			t.Run(dir+"/"+filepath.Base(path), func(t *testing.T) { testBad(t, path, refused) })
		}
	}
}

func testBad(t *testing.T, path string, refused []refusal) {
	const mark = "# want: "
	text := readText(t, path)
	name := filepath.Base(path)
	if *update {
		body := strings.Join(slices.DeleteFunc(strings.SplitAfter(text, "\n"), func(line string) bool {
			return strings.HasPrefix(line, mark)
		}), "")
		_, report := parse(name, body, refused)
		head := strings.Repeat("#\n", len(report.Problems))
		_, report = parse(name, head+body, refused)
		head = ""
		for _, p := range report.Problems {
			head += mark + p.String() + "\n"
		}
		text = head + body
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}

	var want []string
	for line := range strings.Lines(text) {
		if rest, found := strings.CutPrefix(line, mark); found {
			want = append(want, strings.TrimSuffix(rest, "\n"))
		}
	}
	cfg, report := parse(name, text, refused)
	var got []string
	for _, p := range report.Problems {
		got = append(got, p.String())
	}
	if len(want) == 0 {
		t.Error("the file says nothing of what is wanted")
	}
	if len(got) != len(want) {
		t.Errorf("got %d problems, want %d:\n%s", len(got), len(want), strings.Join(got, "\n"))
	}
	for i := range want {
		if i < len(got) && got[i] != want[i] {
			t.Errorf("line %d:\ngot  %s\nwant %s", i+1, got[i], want[i])
		}
	}
	if hasErrors := len(report.Errors()) > 0; hasErrors != (cfg == nil) {
		t.Errorf("got config %v with %d errors", cfg != nil, len(report.Errors()))
	}
}

// TestGood loads files that have no problem, with the keys that are refused as they are.
func TestGood(t *testing.T) {
	files, err := filepath.Glob("testdata/good/*.toml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			cfg, report := Load(path)
			for _, p := range report.Problems {
				t.Error(p)
			}
			if cfg == nil {
				t.Error("got no configuration")
			}
		})
	}
}

// TestShipped loads the files that ship with Sluice: no problem in any, not even a warning.
func TestShipped(t *testing.T) {
	files, err := filepath.Glob("*.toml")
	if err != nil || len(files) < 4 {
		t.Fatalf("got %d files, %v", len(files), err)
	}
	for _, path := range files {
		t.Run(path, func(t *testing.T) {
			_, report := parse(path, readText(t, path), everything)
			for _, p := range report.Problems {
				t.Error(p)
			}
		})
	}
}

// TestTOML reads values through every kind of notation that TOML has for them.
func TestTOML(t *testing.T) {
	cfg, report := Load("testdata/good/toml.toml")
	if err := report.Err(); err != nil {
		t.Fatal(err)
	}
	a, b, p := cfg.Listeners[0], cfg.Listeners[1], cfg.Pools[0]
	for _, tt := range []struct {
		name      string
		got, want any
	}{
		{"level", cfg.Log.Level, slog.LevelWarn},
		{"dial", cfg.Timeouts.Dial, time.Second},
		{"idle", cfg.Timeouts.Idle, 2 * time.Hour},
		{"drain", cfg.Timeouts.Drain, 45 * time.Second},
		{"hello, which has its default", cfg.Timeouts.Hello, 5 * time.Second},
		{"pending", cfg.Limits.Pending, 256},
		{"address", fmt.Sprint(a.Address), "[10.0.0.1:9000 [2001:db8::1]:9000]"},
		{"address as a string", fmt.Sprint(b.Address), "[:443]"},
		{"position of a listener", b.Pos.String(), "testdata/good/toml.toml:11:3"},
		{"mode", b.TLS, Passthrough},
		{"mode, which has its default", a.TLS, Plain},
		{"name of a route, in its one form", b.Routes[0].SNI[0], "b.example"},
		{"nodes", fmt.Sprint(p.Nodes), "[n01.r1:9000 n02.r1:9000 n01.r2:9000 n02.r2:9000]"},
		{"weights", fmt.Sprint(p.Weights), "map[n01.r1:9000:50]"},
		{"jitter", p.Check.Jitter, 0.0},
		{"path, which has its default", p.Check.Path, "/minio/health/live"},
		{"eject.time", p.Eject.Time, 5 * time.Second},
		{"eject.failures, which has its default", p.Eject.Failures, 3},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, tt.got, tt.want)
		}
	}
}

// minimal is the least that can be loaded, with room for more at its end.
const minimal = `
listener = [{ name = "a", address = ":9000", pool = "p" }]
pool = [{ name = "p", nodes = ["10.0.0.1:9000"] }]
`

func TestScalars(t *testing.T) {
	cfg, report := parse("x.toml", `
log.level = "debug"
admin = { listen = "unix:/run/s.sock", mode = "0600", token = "0123456789abcdef" }
limits.rate_per_client = 5
pool = [{ name = "p", nodes = ["[::ffff:10.0.0.1]:9000", "[2001:DB8:0:0::1]:9000"], check = { type = "http", status = [200, 204] } }]
[[listener]]
name = "a"
address = ":9000"
pool = "p"
allow = ["10.0.0.1", "2001:db8::/32", "::ffff:192.168.0.0/112", "::ffff:10.1.1.1", "2001:db8::1"]
`, everything)
	if err := report.Err(); err != nil {
		t.Fatal(err)
	}
	want := []netip.Prefix{
		netip.MustParsePrefix("10.0.0.1/32"), netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("192.168.0.0/16"),
		netip.MustParsePrefix("10.1.1.1/32"), netip.MustParsePrefix("2001:db8::1/128"),
	}
	if got := cfg.Listeners[0].Allow; !slices.Equal(got, want) {
		t.Errorf("allow: got %v, want %v", got, want)
	}
	if got, want := cfg.Admin.Mode, FileMode(0o600); got != want {
		t.Errorf("mode: got %o, want %o", got, want)
	}
	if got, want := string(cfg.Admin.Token), "0123456789abcdef"; got != want {
		t.Errorf("token: got %s, want %s", got, want)
	}
	if got, want := cfg.Limits.RatePerClient, 5.0; got != want {
		t.Errorf("rate: got %v, want %v", got, want)
	}
	if got, want := cfg.Log.Level, slog.LevelDebug; got != want {
		t.Errorf("level: got %v, want %v", got, want)
	}
	if got, want := cfg.Pools[0].Nodes, []string{"10.0.0.1:9000", "[2001:db8::1]:9000"}; !slices.Equal(got, want) {
		t.Errorf("nodes: got %q, want %q", got, want)
	}
	if got, want := cfg.Pools[0].Check.Path, "/"; got != want {
		t.Errorf("path of an http check: got %q, want %q", got, want)
	}
}

// TestSecrets looks for the secret in everything that a configuration or its problems can print.
func TestSecrets(t *testing.T) {
	const secret = "hunter2-hunter2-hunter2"
	cfg, report := parse("x.toml", minimal+`admin = { token = "`+secret+`" }`, everything)
	if err := report.Err(); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "admin", cfg.Admin, "token", cfg.Admin.Token)
	slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "admin", cfg.Admin, "token", cfg.Admin.Token)
	fmt.Fprintf(&b, "%v %+v %#v %s %q %v", cfg.Admin, cfg.Admin, cfg.Admin, cfg.Admin.Token, cfg.Admin.Token, &cfg.Admin)

	for _, text := range []string{
		`admin = { token = "` + secret + `\u0000" }`,              // not a token
		`admin = { token = "` + secret[:7] + `" }`,                // short
		`admin = { token = ["` + secret + `"] }`,                  // not a string
		`admin = { tokn = "` + secret + `" }`,                     // misspelt
		`admin = { token = ` + secret + ` }`,                      // no TOML
		`admin = { token = "` + secret + ` }`,                     // no TOML
		`admin = { token = ` + `"` + secret + `" ` + secret + `}`, // no TOML
	} {
		for _, refused := range [][]refusal{everything, unsupported} {
			_, report := parse("x.toml", minimal+text, refused)
			if len(report.Problems) == 0 {
				t.Errorf("no problem with %s", text)
			}
			fmt.Fprintln(&b, report.Problems, report.Error())
		}
	}
	if strings.Contains(b.String(), "hunter2") {
		t.Errorf("the secret shows:\n%s", b.String())
	}
}

func TestLoadErrors(t *testing.T) {
	dir := t.TempDir()
	long := filepath.Join(dir, "long.toml")
	if err := os.WriteFile(long, make([]byte, maxFile+1), 0o600); err != nil {
		t.Fatal(err)
	}
	none := filepath.Join(dir, "none.toml")
	for path, want := range map[string]string{
		none: none + ": error: open: no such file or directory",
		dir:  dir + ": error: read: is a directory",
		long: long + ": error: the file is longer than 1048576 bytes, which no configuration needs",
	} {
		cfg, report := Load(path)
		if cfg != nil {
			t.Errorf("%s: got a configuration", path)
		}
		if got := report.Error(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// TestText holds what the text itself may be: line ends, marks at its beginning, other encodings.
func TestText(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"line ends of Windows", minimal + "[log]\r\n\r\nx = 1\r\n", `x.toml:6:1: error: log.x: no such key; known here: format, interim, level, output, sample, sessions`},
		{"byte order mark", "\ufefflog.x = 1" + minimal, `x.toml:1:5: error: log.x: no such key; known here: format, interim, level, output, sample, sessions`},
		{"UTF-16", "\xff\xfel\x00o\x00g\x00", "x.toml:1:1: error: the file is in UTF-16; save it as UTF-8"},
		{"Latin-1", "# caf\xe9\n", "x.toml:1:2: error: invalid UTF-8 byte: 0xe9"},
		{"NUL", "log.x = 1\x00", "x.toml:1:9: error: TOML files cannot contain control characters: '0x00'"},
		{"no end of line", "log.x =", "x.toml:1:7: error: unexpected EOF; expected value"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, report := Parse("x.toml", tt.text)
			if got := report.Problems[0].String(); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// TestBounds reads files of the greatest size that put many of one thing into it: each is answered
// with a bounded number of problems, the last of which is named here.
func TestBounds(t *testing.T) {
	many := func(head, format string) string {
		b := []byte(head)
		for i := 1; len(b) < maxFile-100; i++ {
			b = fmt.Appendf(b, format, i)
		}
		return string(b)
	}
	for _, tt := range []struct{ name, text, want string }{
		{"unknown keys", many("", "key%d = 1\n"), "there are more than these 500 problems"},
		{"unknown pools", many("", "[[listener]]\nname = 'l%[1]d'\naddress = ':%[1]d'\npool = 'x%[1]d'\n[[pool]]\nname = 'q%[1]d'\n"), "there are more than these 500 problems"},
		{"addresses", many("[[listener]]\naddress = [", "'[2001:db8::%x]:9000',") + "]", "these are more than 1024 addresses"},
		{"routes", many("[[listener]]\ntls = 'passthrough'\n", "[[listener.route]]\nsni = ['a']\nalpn = ['x%d']\n"), "these are more than 4096 routes"},
		{"weights", many("[[pool]]\nnodes = ['h{1...4096}:1']\n[pool.weights]\n", "'h{1...4096}:%d' = 1\n"), "the addresses of this file are more than 131072, each time counted that one is written"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, report := parse("x.toml", tt.text, everything)
			if got := len(report.Problems); got > maxProblems+1 {
				t.Errorf("got %d problems", got)
			}
			if !slices.ContainsFunc(report.Errors(), func(p Problem) bool { return p.What == tt.want }) {
				t.Errorf("got no %q in %d problems", tt.want, len(report.Problems))
			}
		})
	}
}

// TestUnsupported wants each refused key to exist, under the name that entry.kind gives it.
func TestUnsupported(t *testing.T) {
	known := slices.Collect(maps.Keys(schemaKeys()))
	for _, r := range unsupported {
		if !slices.Contains(known, r.key) {
			t.Errorf("%s: no such key", r.key)
		}
		if r.why == "" {
			t.Errorf("%s: no reason given", r.key)
		}
	}
	_, report := Load("testdata/refused/all.toml")
	for _, r := range unsupported {
		if !slices.ContainsFunc(report.Errors(), func(p Problem) bool {
			return strings.Contains(p.What, "not yet supported: "+r.why) && kindOf(p.Key) == r.key
		}) {
			t.Errorf("testdata/refused/all.toml: %s is not refused", r.key)
		}
	}
	if _, report := parse("x.toml", readText(t, "testdata/refused/all.toml"), everything); report.Err() != nil {
		t.Errorf("testdata/refused/all.toml has errors of its own: %v", report.Err())
	}
}

// kindOf takes the numbers out of a key.
func kindOf(key string) string {
	var b strings.Builder
	for part := range strings.SplitSeq(key, "[") {
		_, after, found := strings.Cut(part, "]")
		if !found {
			after = part
		}
		b.WriteString(after)
	}
	return b.String()
}

func TestReport(t *testing.T) {
	warning := Problem{Pos: Position{"f", 1, 2}, Warning: true, Key: "k", What: "w"}
	report := &Report{Problems: []Problem{warning}}
	if err := report.Err(); err != nil {
		t.Errorf("got %v of a warning, want nil", err)
	}
	if got, want := warning.String(), "f:1:2: warning: k: w"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	report.Problems = append(report.Problems, Problem{What: "a", Right: "b"}, Problem{Key: "k", Owner: `pool "p"`, What: "c"})
	if got, want := report.Err().Error(), "error: a; b\nerror: k (pool \"p\"): c"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := len(report.Warnings()), 1; got != want {
		t.Errorf("got %d warnings, want %d", got, want)
	}
}

func readText(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// FuzzParse wants an answer to every text, and each of its problems to stand inside of it.
func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"*.toml", "testdata/*/*.toml"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, path := range files {
			text, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(string(text))
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		lines := strings.Split(strings.TrimPrefix(text, "\ufeff"), "\n")
		for _, refused := range [][]refusal{everything, unsupported} {
			cfg, report := parse("x.toml", text, refused)
			if (cfg == nil) != (report.Err() != nil) {
				t.Errorf("got config %v and error %v", cfg != nil, report.Err())
			}
			for _, p := range report.Problems {
				if p.Pos.Line < 1 || p.Pos.Line > len(lines) || p.Pos.Col < 1 || p.Pos.Col > len(lines[p.Pos.Line-1])+1 {
					t.Errorf("%s stands outside of the file", p)
				}
				if strings.Contains(p.String(), "\n") {
					t.Errorf("%q is not one line", p)
				}
			}
		}
	})
}
