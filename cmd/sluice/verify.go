package main

import (
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"github.com/sluicelb/sluice/cmd/internal/verify"
	"github.com/urfave/cli/v2"
)

func verifyCommand() *cli.Command {
	return &cli.Command{
		Name:      "verify",
		Usage:     "ask a cluster behind a balancer for all that clients will ask of it",
		UsageText: "sluice verify [options] URL",
		Description: `URL is the S3 address: https://s3.example.net. Step by step it asks for a connection, TLS and the
certificate, MinIO's health, and where browsers are sent; with keys also for an object's way up in
parts and down in one stream, compared byte by byte, and its removal; then for the Console's page,
login and WebSocket. A step that fails says what is likely wrong and what to do.

With keys it writes: into a temporary bucket, or below a prefix of its own in --bucket. It removes
what it wrote, also when it is interrupted. Keys in the environment do not show in the process list.

Examples:
  sluice verify http://10.0.0.100:9000
  sluice verify --ca ca.pem --console https://console.example.net https://s3.example.net
  sluice verify --resolve 10.0.0.100 https://s3.example.net           before the DNS is switched
  MINIO_ACCESS_KEY=... MINIO_SECRET_KEY=... sluice verify --size 1GiB https://s3.example.net

Exit codes: 0 every step that was asked passed, 1 one failed, 2 wrong use.`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "ca", Usage: "trust the certificates in `FILE` (PEM) too"},
			flag("insecure", "do not insist on a good certificate"),
			&cli.StringFlag{Name: "console", Usage: "the Console's `URL`; without it, where the S3 address sends browsers"},
			&cli.StringFlag{Name: "resolve", Usage: "go to the address `IP`, whatever the names resolve to"},
			&cli.StringFlag{Name: "access-key", Usage: "log in with the access `KEY`", EnvVars: []string{"MINIO_ACCESS_KEY"}},
			&cli.StringFlag{Name: "secret-key", Usage: "sign with the secret `KEY`", EnvVars: []string{"MINIO_SECRET_KEY"}, DefaultText: "hidden"},
			&cli.StringFlag{Name: "bucket", Usage: "work in the bucket `NAME`, which exists, instead of a temporary one"},
			&cli.StringFlag{Name: "size", Usage: "the `SIZE` of the object that goes up and down", Value: "64MiB"},
			flag("json", "print the report as one JSON object"),
		},
		Action: runVerify,
	}
}

func runVerify(c *cli.Context) error {
	o, err := verifyOptions(c)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(c.Context, os.Interrupt, syscall.SIGTERM)
	defer stop()

	var report *verify.Report
	if c.Bool("json") {
		report = verify.Run(ctx, o, verify.Watcher{})
		err = json.NewEncoder(c.App.Writer).Encode(reportJSON(o, report))
	} else {
		table := newStepTable(c.App.Writer)
		table.head(o)
		report = verify.Run(ctx, o, verify.Watcher{Begin: table.begin, Progress: table.progress, End: table.end})
		err = table.sum(report)
	}
	if err == nil && !report.Passed() {
		return errTold{exitFailed}
	}
	return err
}

func verifyOptions(c *cli.Context) (o verify.Options, err error) {
	if c.NArg() == 0 {
		return o, badUse(c, "give its S3 address: sluice verify https://s3.example.net", "which cluster?")
	}
	if err := wantArgs(c, 1, "options have two dashes"); err != nil {
		return o, err
	}
	if o.URL, err = httpURL(c, c.Args().First()); err != nil {
		return o, err
	}
	if strings.Trim(o.URL.Path, "/") != "" {
		return o, badUse(c, "S3 is always at the root of a host name", "URL %q has a path", c.Args().First())
	}
	if c.IsSet("console") {
		if o.Console, err = httpURL(c, c.String("console")); err != nil {
			return o, err
		}
	}
	if c.IsSet("resolve") {
		if o.Resolve, err = netip.ParseAddr(c.String("resolve")); err != nil {
			return o, badUse(c, "--resolve takes an IP address", "%q is none", c.String("resolve"))
		}
	}
	if o.Size, err = parseSize(c.String("size")); err != nil {
		return o, badUse(c, "a number with KiB, MiB or GiB", "--size %q: %s", c.String("size"), err)
	}
	if (c.String("access-key") == "") != (c.String("secret-key") == "") {
		return o, badUse(c, "give both, or neither", "one of --access-key and --secret-key is missing")
	}
	if c.IsSet("ca") {
		if o.Roots, err = trust(c.String("ca")); err != nil {
			return o, err
		}
	}
	o.Insecure, o.Bucket = c.Bool("insecure"), c.String("bucket")
	o.AccessKey, o.SecretKey = c.String("access-key"), c.String("secret-key")
	return o, nil
}

func httpURL(c *cli.Context, s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" {
		return nil, badUse(c, "write it as https://host or http://host:port", "%q is no URL of a host", s)
	}
	return u, nil
}

// maxSize is the largest object that S3 knows: 10,000 parts of 5 GiB.
const maxSize = 10_000 * 5 << 30

// parseSize reads a number of bytes: 1048576, 1024KiB, 1MiB.
func parseSize(s string) (int64, error) {
	number, unit := s, int64(1)
	for suffix, bytes := range map[string]int64{"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30} {
		if n, ok := strings.CutSuffix(s, suffix); ok {
			number, unit = strings.TrimSpace(n), bytes
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	switch {
	case err != nil:
		return 0, fmt.Errorf("not a size")
	case n < 0 || n > maxSize/unit:
		return 0, fmt.Errorf("out of range")
	}
	return n * unit, nil
}

// trust is whom the system trusts and the certificates of a file.
func trust(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool() // a machine without certificates of its own
	}
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s: no certificate in it; a PEM file has a line -----BEGIN CERTIFICATE-----", file)
	}
	return roots, nil
}

// stepJSON is a step in the report of --json.
type stepJSON struct {
	Name   string        `json:"name"`
	Status verify.Status `json:"status"`
	Ms     float64       `json:"ms"`
	Detail string        `json:"detail,omitempty"`
	Advice string        `json:"advice,omitempty"`
}

func reportJSON(o verify.Options, r *verify.Report) any {
	out := struct {
		URL    string     `json:"url"`
		Passed bool       `json:"passed"`
		Steps  []stepJSON `json:"steps"`
		Nodes  []string   `json:"nodes"` // X-Amz-Id-2
	}{URL: o.URL.String(), Passed: r.Passed(), Nodes: append([]string{}, r.Nodes...)}
	for _, s := range r.Steps {
		out.Steps = append(out.Steps, stepJSON{s.Name, s.Status, float64(s.Took.Microseconds()) / 1000, s.Detail, s.Advice})
	}
	return out
}
