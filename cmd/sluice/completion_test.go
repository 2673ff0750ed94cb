package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sluicelb/sluice/cmd/internal/need"
)

func TestCandidates(t *testing.T) {
	tests := []struct {
		words []string
		want  string
	}{
		{[]string{""}, "run check verify doctor demo status top sessions drain ready maint kill reload completion version help"},
		{[]string{"ve"}, "verify version"},
		{[]string{"xyz"}, ""},
		{[]string{"xyz", ""}, ""},
		{[]string{"verify", "--c"}, "--ca --console"},
		{[]string{"verify", "--ca", "f", "--c"}, "--console"},
		{[]string{"verify", "--console=x", "--ca", "f", "--c"}, ""},
		{[]string{"verify", "--ca", ""}, ""},
		{[]string{"run", "-"}, "--config --help"},
		{[]string{"run", "-c", ""}, ""},
		{[]string{"run", "-c", "f", "-"}, "--help"},
		{[]string{"completion", ""}, "bash fish zsh"},
		{[]string{"completion", "bash", ""}, ""},
		{[]string{"help", "ch"}, "check"},
		{[]string{"help", "check", ""}, ""},
	}
	for _, tt := range tests {
		code, stdout, stderr := sluice(t, append([]string{completeWord}, tt.words...)...)
		var got []string
		for line := range strings.Lines(stdout) {
			word, _, _ := strings.Cut(line, "\t")
			got = append(got, word)
		}
		if code != exitOK || stderr != "" || strings.Join(got, " ") != tt.want {
			t.Errorf("%q: got exit code %d, %q, stderr %q, want %q", tt.words, code, got, stderr, tt.want)
		}
	}
}

// TestCompletionScripts asks the shells themselves, those that are here.
func TestCompletionScripts(t *testing.T) {
	ask := map[string][]string{ // how to have the words after "sluice" completed
		"bash": {"-c", `source <(sluice completion bash); COMP_WORDS=(sluice "$@"); COMP_CWORD=$#; _sluice; printf '%s\n' "${COMPREPLY[@]}"`, "bash"},
		"fish": {"--no-config", "-c", `sluice completion fish | source; complete -C "sluice $argv" | cut -f 1`},
		// zsh completes in its line editor only; what the script hands to it is looked at instead.
		"zsh": {"-f", "-c", `compdef() { }; _files() { }; _describe() { printf '%s\n' "${(@P)2%%:*}" }; source <(sluice completion zsh); ` +
			`words=(sluice "$@"); CURRENT=$#words; _sluice`, "zsh"},
	}
	// The scripts call the program by its name.
	dir := t.TempDir()
	if err := os.Symlink(os.Args[0], filepath.Join(dir, "sluice")); err != nil {
		t.Fatal(err)
	}
	for shell, args := range ask {
		t.Run(shell, func(t *testing.T) {
			need.Program(t, shell)
			for words, want := range map[string]string{
				"ve": "verify version", "verify --c": "--ca --console", "completion b": "bash", "xyz --": "",
			} {
				cmd := exec.CommandContext(t.Context(), shell, append(slices.Clone(args), strings.Fields(words)...)...)
				cmd.Env = append(os.Environ(), asProgram+"=1", "PATH="+dir+string(os.PathListSeparator)+os.Getenv("PATH"), "HOME="+dir)
				out, err := cmd.CombinedOutput()
				if got := strings.Join(strings.Fields(string(out)), " "); got != want {
					t.Errorf("sluice %s: got %q, error %v, want %q", words, got, err, want)
				}
			}
		})
	}
}
