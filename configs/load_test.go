package configs

import "testing"

func TestParse(t *testing.T) {
	cfg, report := Parse("x.toml", `
[[listener]]
name = "s3"
address = ":9000"
pool = "s3"
[[pool]]
name = "s3"
nodes = ["10.0.0.{1...4}:9000"]
`)
	if err := report.Err(); err != nil {
		t.Fatal(err)
	}
	if got, want := len(cfg.Pools[0].Nodes), 4; got != want {
		t.Errorf("got %d nodes, want %d", got, want)
	}
	if got, want := cfg.Listeners[0].Address[0], ":9000"; got != want {
		t.Errorf("got address %q, want %q", got, want)
	}
}
