package main

import (
	"fmt"
	"io"

	"github.com/urfave/cli/v2"
)

// The scripts ask the program itself what may come next, by the option that the library understands
// when it is the last word. They need nothing but the shell.
const (
	bashCompletion = `_sluice() {
    local cur="${COMP_WORDS[COMP_CWORD]}" words=("${COMP_WORDS[@]:0:COMP_CWORD}")
    [[ "$cur" == -* ]] && words+=("$cur")
    COMPREPLY=($(compgen -W "$("${words[@]}" --generate-bash-completion 2>/dev/null)" -- "$cur"))
}
complete -o bashdefault -o default -F _sluice sluice
`
	zshCompletion = `#compdef sluice
_sluice() {
    local -a asked answers
    asked=("${(@)words[1,CURRENT-1]}")
    [[ "${words[CURRENT]}" == -* ]] && asked+=("${words[CURRENT]}")
    answers=("${(@f)$("${asked[@]}" --generate-bash-completion 2>/dev/null)}")
    if [[ -n "${answers[1]}" ]]; then compadd -a answers; else _files; fi
}
if [[ "${funcstack[1]}" == _sluice ]]; then _sluice "$@"; else compdef _sluice sluice; fi
`
)

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
		BashComplete: func(c *cli.Context) { fmt.Fprint(c.App.Writer, "bash\nzsh\nfish\n") },
		Action: func(c *cli.Context) error {
			if err := wantArgs(c, 1, ""); err != nil {
				return err
			}
			script, err := completionFor(c.App, c.Args().First())
			if err != nil {
				return badUse(c, "there are bash, zsh and fish", "no completion for shell %q", c.Args().First())
			}
			_, err = io.WriteString(c.App.Writer, script)
			return err
		},
	}
}

func completionFor(app *cli.App, shell string) (string, error) {
	switch shell {
	case "bash":
		return bashCompletion, nil
	case "zsh":
		return zshCompletion, nil
	case "fish":
		return app.ToFishCompletion()
	}
	return "", fmt.Errorf("no completion for shell %q", shell)
}
