package main

import (
	"bytes"
	"encoding/json"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
)

// sluice runs the program with arguments, in this process.
func sluice(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	code = run(t.Context(), append([]string{"sluice"}, args...), strings.NewReader(""), &out, &err)
	return code, out.String(), err.String()
}

func TestWrongUse(t *testing.T) {
	tests := []struct {
		args []string
		want string // in what is said on stderr
	}{
		{nil, "Usage:"},
		{[]string{"versoin"}, `sluice: no command "versoin"; did you mean "version"?`},
		{[]string{"xyzzy"}, `no command "xyzzy"` + "\n"},
		{[]string{"help", "versoin"}, `did you mean "version"?`},
		{[]string{"version", "--jsno"}, `sluice: version: no option "--jsno"; did you mean "--json"?`},
		{[]string{"version", "-json=3x"}, `invalid boolean value "3x" for -json`},
		{[]string{"version", "now"}, `sluice: version: unexpected argument "now"`},
		{[]string{"--json", "version"}, `it belongs behind a command: sluice verify|doctor|status|top|sessions|drain|ready|maint|kill|reload|version --json`},
		{[]string{"run"}, `sluice: run: which configuration? name it with -c FILE`},
		{[]string{"check"}, `sluice: check: which configuration? name it with -c FILE`},
		{[]string{"check", "a.toml"}, `did you mean -c "a.toml"?`},
		{[]string{"check", "-c"}, `sluice: check: option "-c" needs a value`},
		{[]string{"check", "-c", "a", "b"}, `unexpected argument "b"`},
		{[]string{"check", "--confg", "a"}, `no option "--confg"; did you mean "--config"?`},
		{[]string{"-c", "a.toml"}, `it belongs behind a command: sluice run|check|doctor|status|top|sessions|drain|ready|maint|kill|reload -c`},
		{[]string{"status", "now"}, `unexpected argument "now"`},
		{[]string{"status", "--admin", "nowhere"}, `admin address "nowhere" is neither host:port nor unix:/path`},
		{[]string{"status", "--watch", "1ms"}, `--watch 1ms is too short`},
		{[]string{"sessions", "x"}, `filters are options`},
		{[]string{"drain"}, `which node? name the pool and the node: sluice drain s3 10.0.0.2:9000`},
		{[]string{"drain", "s3"}, `which node?`},
		{[]string{"drain", "s3", "a", "b"}, `unexpected argument "b"`},
		{[]string{"drain", "s3", "a", "--deadline", "5s"}, `--deadline without --wait has no meaning; add --wait`},
		{[]string{"drain", "s3", "a", "--grace", "5s"}, `it goes with --all`},
		{[]string{"drain", "--all", "s3"}, `unexpected argument "s3"`},
		{[]string{"drain", "--all", "--force"}, `have no meaning with --all`},
		{[]string{"ready", "s3"}, `sluice ready s3 10.0.0.2:9000`},
		{[]string{"kill"}, `which session?`},
		{[]string{"kill", "12", "x3"}, `"x3" is no id of a session`},
		{[]string{"reload", "x.toml"}, `the file is the one it was started with`},
		{[]string{"completion"}, `no completion for shell ""; there are bash, zsh and fish`},
		{[]string{"completion", "bash", "zsh"}, `unexpected argument "zsh"`},
	}
	for _, tt := range tests {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			code, stdout, stderr := sluice(t, tt.args...)
			if code != exitUsage {
				t.Errorf("got exit code %d, want %d", code, exitUsage)
			}
			if !strings.Contains(stderr, tt.want) || !strings.Contains(stderr, "sluice help") {
				t.Errorf("got stderr %q, want in it %q and a hint to the help", stderr, tt.want)
			}
			if stdout != "" {
				t.Errorf("got stdout %q, want nothing", stdout)
			}
		})
	}
}

func TestHelp(t *testing.T) {
	app := newApp(nil, nil, nil)
	code, list, stderr := sluice(t, "help")
	if code != exitOK || stderr != "" {
		t.Errorf("help: got exit code %d, stderr %q", code, stderr)
	}
	for _, same := range [][]string{{"--help"}, {"-h"}, {"help", "help"}, {"help", "--help"}} {
		if _, got, _ := sluice(t, same...); got != list {
			t.Errorf("%v: got %q, want the same as help", same, got)
		}
	}
	for _, c := range app.Commands {
		if !strings.Contains(list, "  "+c.Name+" ") {
			t.Errorf("help does not list %q", c.Name)
		}
		if c.Name == "help" {
			continue // help about help is the list itself
		}
		code, text, stderr := sluice(t, "help", c.Name)
		if code != exitOK || stderr != "" || !strings.Contains(text, "sluice "+c.Name) {
			t.Errorf("help %s: got exit code %d, stderr %q, stdout %q", c.Name, code, stderr, text)
		}
		if _, got, _ := sluice(t, c.Name, "--help"); got != text {
			t.Errorf("%s --help: got %q, want the same as help %s: %q", c.Name, got, c.Name, text)
		}
		for line := range strings.Lines(text) {
			if len(line) > 110 {
				t.Errorf("help %s: line of %d bytes: %q", c.Name, len(line), line)
			}
		}
	}
}

func TestVersion(t *testing.T) {
	code, text, _ := sluice(t, "version")
	if want := runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH; code != exitOK || !strings.Contains(text, want) {
		t.Errorf("got exit code %d, stdout %q, want in it %q", code, text, want)
	}
	if _, got, _ := sluice(t, "--version"); got != text {
		t.Errorf("--version: got %q, want %q", got, text)
	}

	code, text, _ = sluice(t, "version", "--json")
	var got version
	if err := json.Unmarshal([]byte(text), &got); err != nil || code != exitOK || got != readVersion() {
		t.Errorf("--json: got exit code %d, %+v, error %v, want %+v", code, got, err, readVersion())
	}
}

func TestVersionOf(t *testing.T) {
	got := versionOf(&debug.BuildInfo{
		GoVersion: "go1.26.8",
		Main:      debug.Module{Version: "v1.2.3"},
		Settings:  []debug.BuildSetting{{Key: "vcs.revision", Value: "abc"}, {Key: "vcs.modified", Value: "true"}},
	})
	if want := (version{Version: "v1.2.3", Commit: "abc", Modified: true, Go: "go1.26.8"}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestOptionsFirst(t *testing.T) {
	commands := newApp(nil, nil, nil).Commands
	tests := []struct{ args, want string }{
		{"sluice", "sluice"},
		{"sluice version", "sluice version"},
		{"sluice nothing a --b", "sluice nothing a --b"},
		{"sluice version now --json", "sluice version --json -- now"},
		{"sluice version --json now", "sluice version --json -- now"},
		{"sluice check a -c f --config=g", "sluice check -c f --config=g -- a"},
		{"sluice check a -c", "sluice check -c"},
		{"sluice version -- --json", "sluice version -- --json"},
		{"sluice version - --json", "sluice version --json -- -"},
	}
	for _, tt := range tests {
		if got := optionsFirst(commands, strings.Fields(tt.args)); !slices.Equal(got, strings.Fields(tt.want)) {
			t.Errorf("%s: got %q, want %q", tt.args, got, tt.want)
		}
	}
}

func TestDidYouMean(t *testing.T) {
	names := []string{"run", "check", "version"}
	for name, want := range map[string]string{
		"rnu": `did you mean "run"?`, "chekc": `did you mean "check"?`, "VERSION": `did you mean "version"?`, "frobnicate": "", "": "", "vers": `did you mean "version"?`, "-": "",
	} {
		if got := didYouMean(name, names); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}
