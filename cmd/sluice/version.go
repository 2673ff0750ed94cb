package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/urfave/cli/v2"
)

// version is what the Go toolchain wrote into the binary. Nothing is set by the linker, so that a
// binary from `go install` says as much as a released one.
type version struct {
	Version  string `json:"version"`  // "(devel)" where it was not built from a tag
	Commit   string `json:"commit"`   // "unknown" where it was not built inside a repository
	Modified bool   `json:"modified"` // the tree had changes that were not committed
	Go       string `json:"go"`
	OS       string `json:"os"`
	Arch     string `json:"arch"`
}

func versionCommand() *cli.Command {
	return &cli.Command{
		Name:      "version",
		Usage:     "which build this is",
		UsageText: "sluice version [--json]",
		Flags:     []cli.Flag{flag("json", "print it as one JSON object")},
		Action: func(c *cli.Context) error {
			if err := wantArgs(c, 0, ""); err != nil {
				return err
			}
			return printVersion(c.App.Writer, readVersion(), c.Bool("json"))
		},
	}
}

func readVersion() version {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	v := versionOf(info)
	v.OS, v.Arch = runtime.GOOS, runtime.GOARCH
	return v
}

// versionOf reads the facts that a build leaves behind.
func versionOf(info *debug.BuildInfo) version {
	v := version{
		Version: cmp.Or(info.Main.Version, "(devel)"),
		Commit:  "unknown",
		Go:      cmp.Or(info.GoVersion, runtime.Version()),
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Commit = s.Value
		case "vcs.modified":
			v.Modified = s.Value == "true"
		}
	}
	return v
}

func printVersion(w io.Writer, v version, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(v)
	}
	modified := ""
	if v.Modified {
		modified = " (modified)"
	}
	_, err := fmt.Fprintf(w, "sluice %s\ncommit %s%s\n%s %s/%s\n", v.Version, v.Commit, modified, v.Go, v.OS, v.Arch)
	return err
}
