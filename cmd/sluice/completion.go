package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// completeWord as the first argument makes the program print what may come next, for the scripts below:
// one candidate a line, with a tab and a description behind it. The words behind it are those of the
// command line up to the one that is being typed, which may be empty. No line means a file, or anything.
const completeWord = "__complete"

// The scripts, by shell. They need nothing but the shell.
var completionScripts = map[string]string{
	"bash": `_sluice() {
    local IFS=$'\n' cur="${COMP_WORDS[COMP_CWORD]}"
    local answers=$("${COMP_WORDS[0]}" ` + completeWord + ` "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null | cut -f 1)
    COMPREPLY=($(compgen -W "$answers" -- "$cur"))
}
complete -o bashdefault -o default -F _sluice sluice
`,
	"zsh": `#compdef sluice
_sluice() {
    local -a answers
    answers=("${(@f)$("${words[1]}" ` + completeWord + ` "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    if [[ -n "${answers[1]}" ]]; then
        answers=("${(@)answers/$'\t'/:}")
        _describe sluice answers
    else
        _files
    fi
}
if [[ "${funcstack[1]}" == _sluice ]]; then _sluice "$@"; else compdef _sluice sluice; fi
`,
	"fish": `function __sluice
    set -l words (commandline -opc) (commandline -ct)
    set -l answers ($words[1] ` + completeWord + ` $words[2..] 2>/dev/null)
    if test -n "$answers"
        printf '%s\n' $answers
    else
        __fish_complete_path (commandline -ct)
    end
end
complete -c sluice -f -a '(__sluice)'
`,
}

func completionCommand() *cli.Command {
	return &cli.Command{
		Name:      "completion",
		Usage:     "let the shell complete commands and options",
		UsageText: "sluice completion bash|zsh|fish",
		Description: `It prints a script for the shell to read:

  bash   sluice completion bash > /etc/bash_completion.d/sluice
  zsh    sluice completion zsh > "${fpath[1]}/_sluice"
  fish   sluice completion fish > ~/.config/fish/completions/sluice.fish

Or for one session of bash or zsh: source <(sluice completion bash)`,
		Action: func(c *cli.Context) error {
			if err := wantArgs(c, 1, ""); err != nil {
				return err
			}
			script, ok := completionScripts[c.Args().First()]
			if !ok {
				return badUse(c, "there are bash, zsh and fish", "no completion for shell %q", c.Args().First())
			}
			_, err := io.WriteString(c.App.Writer, script)
			return err
		},
	}
}

// complete prints the candidates for the last of the words.
func complete(w io.Writer, commands []*cli.Command, words []string) int {
	for _, c := range candidates(commands, words) {
		if strings.HasPrefix(c.word, words[len(words)-1]) {
			fmt.Fprintf(w, "%s\t%s\n", c.word, c.what)
		}
	}
	return exitOK
}

type candidate struct{ word, what string }

// candidates are what may stand at the place of the last word, given those before it.
func candidates(commands []*cli.Command, words []string) (all []candidate) {
	if len(words) == 0 {
		return nil
	}
	before, word := words[:len(words)-1], words[len(words)-1]
	if len(before) == 0 {
		for _, c := range commands {
			all = append(all, candidate{c.Name, c.Usage})
		}
		return all
	}
	i := slices.IndexFunc(commands, func(c *cli.Command) bool { return c.HasName(before[0]) })
	switch {
	case i < 0:
		return nil
	case strings.HasPrefix(word, "-"):
		return unused(commands[i].Flags, before)
	case takesValue(commands[i].Flags, strings.TrimLeft(before[len(before)-1], "-")):
		return nil
	case before[0] == "help" && len(before) == 1:
		return candidates(commands, []string{word})
	case before[0] == "completion" && len(before) == 1:
		for shell := range completionScripts {
			all = append(all, candidate{shell, ""})
		}
		slices.SortFunc(all, func(a, b candidate) int { return strings.Compare(a.word, b.word) })
	}
	return all
}

// unused are the options that do not stand among the words yet, by their long names.
func unused(flags []cli.Flag, words []string) (all []candidate) {
	for _, f := range flags {
		given := slices.ContainsFunc(words, func(w string) bool {
			name, _, _ := strings.Cut(strings.TrimLeft(w, "-"), "=")
			return strings.HasPrefix(w, "-") && slices.Contains(f.Names(), name)
		})
		if given {
			continue
		}
		what := ""
		if d, ok := f.(cli.DocGenerationFlag); ok {
			what = strings.ReplaceAll(d.GetUsage(), "`", "")
		}
		all = append(all, candidate{dashed(f.Names()[0]), what})
	}
	return all
}
