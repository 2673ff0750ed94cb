//go:build e2e && linux

package e2e

import (
	"bufio"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluicelb/sluice/cmd/internal/cluster"
)

// minioGo is the module whose own tests are run, at the version that go.mod asks for.
const minioGo = "github.com/minio/minio-go/v7"

const (
	functionalBuild = 10 * time.Minute
	functionalRun   = 12 * time.Minute // two to four minutes is what a run takes
	functionalFloor = 80               // tests that pass against a plain node; fewer, and the suite did not run
)

// testFunctional runs minio-go's own functional tests twice, against a node and through the balancer,
// side by side: they name their buckets at random. A few of them fail for reasons of client and server.
// Each has to end the same way both times.
func testFunctional(t *testing.T, s *stage) {
	binary := functionalBinary(t)
	s.balance(t, settings{balance: "leastconn"})

	var direct, through verdicts
	var errs [2]error
	var both sync.WaitGroup
	both.Go(func() {
		direct, errs[0] = s.functional(t, "direct", binary, s.cluster.Nodes[0].S3.String(), s.cluster.CA)
	})
	both.Go(func() { through, errs[1] = s.functional(t, "through", binary, s.s3Host(), s.ca()) })
	both.Wait()
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatal(err)
	}
	t.Logf("direct:  %s", direct)
	t.Logf("through: %s", through)
	if direct.count("PASS") < functionalFloor {
		t.Errorf("only %d tests pass directly, want at least %d", direct.count("PASS"), functionalFloor)
	}
	for _, name := range direct.names(through) {
		if d, th := direct[name], through[name]; !slices.Equal(d, th) {
			t.Errorf("%s: through the balancer %q, directly %q", name, th, d)
		}
	}
}

// verdicts holds how each test ended, by name: PASS, FAIL or NA, and several of them if it says so.
type verdicts map[string][]string

func (v verdicts) count(status string) (n int) {
	for _, all := range v {
		for _, s := range all {
			if s == status {
				n++
			}
		}
	}
	return n
}

// String counts.
func (v verdicts) String() string {
	var failed []string
	for name, all := range v {
		if slices.Contains(all, "FAIL") {
			failed = append(failed, name)
		}
	}
	slices.Sort(failed)
	return fmt.Sprintf("%d PASS, %d FAIL, %d NA; failed: %s",
		v.count("PASS"), v.count("FAIL"), v.count("NA"), strings.Join(failed, ", "))
}

// names is the tests that are in either.
func (v verdicts) names(other verdicts) (all []string) {
	for name := range v {
		all = append(all, name)
	}
	for name := range other {
		all = append(all, name)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// functional runs the tests against an endpoint, which speaks TLS if there is a CA to trust, to their end.
// What they say is kept under the name.
func (s *stage) functional(t *testing.T, name, binary, endpoint, ca string) (verdicts, error) {
	https := "0"
	if ca != "" {
		https = "1"
	}
	cmd := exec.Command(binary)
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(),
		"MINT_MODE=full",
		"RUN_ON_FAIL=1", // go on after a failure: there are some
		"SERVER_ENDPOINT="+endpoint,
		"ACCESS_KEY="+s.cluster.User,
		"SECRET_KEY="+s.cluster.Password,
		"ENABLE_HTTPS="+https,
		"SSL_CERT_FILE="+ca,
		"E2E_RESOLVE="+hostPort(s3Name)+"="+block.BalancerTLS().String(),
	)
	out, err := os.Create(filepath.Join(artifacts(t), name+".json"))
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out

	ctx, cancel := context.WithTimeout(t.Context(), functionalRun)
	defer cancel()
	began := time.Now()
	p, err := launcher.Start("functional tests", cmd)
	if err != nil {
		return nil, err
	}
	_, err = p.Wait(ctx) // the exit code tells that some test failed, which is known
	p.Kill()
	if err != nil {
		return nil, fmt.Errorf("against %s: %w; it said:\n%s", endpoint, err, cluster.Tail(out.Name(), 20))
	}
	t.Logf("against %s: %.0f s", endpoint, time.Since(began).Seconds())
	return readVerdicts(out.Name())
}

// readVerdicts reads the lines of JSON that the tests print.
func readVerdicts(path string) (verdicts, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	v := verdicts{}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var line struct{ Name, Status string }
		if json.Unmarshal(lines.Bytes(), &line) != nil || line.Status == "" {
			continue // other output
		}
		name := strings.TrimPrefix(line.Name, "minio-go: ")
		v[name] = append(v[name], line.Status)
	}
	for _, all := range v {
		slices.Sort(all) // some tests end several times, in an order of their own
	}
	return v, lines.Err()
}

// functionalBinary builds the tests, once for a version: in a copy of the module, with one file more
// that resolves the test's name.
func functionalBinary(t *testing.T) string {
	t.Helper()
	module, version := moduleDir(t, minioGo)
	cache, err := cluster.Cache()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "minio-go-"+version)
	if err := copyModule(dir, module); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "e2e_resolve.go"), []byte(resolveSource), 0o644); err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(dir, "functional_tests")
	ctx, cancel := context.WithTimeout(t.Context(), functionalBuild)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "build", "-o", binary, "functional_tests.go", "e2e_resolve.go")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build minio-go's functional tests: %v\n%s", err, out)
	}
	return binary
}

// resolveSource goes into the main package of the tests. Their endpoint has to be a name, so that they
// send one in their hellos, and nothing resolves it.
//
//go:embed testdata/resolve.go.txt
var resolveSource string

// moduleDir finds a module of go.mod in the module cache.
func moduleDir(t *testing.T, path string) (dir, version string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}} {{.Version}}", path).Output()
	if err != nil {
		t.Fatalf("go list -m %s: %v", path, err)
	}
	dir, version, _ = strings.Cut(strings.TrimSpace(string(out)), " ")
	return dir, version
}

// copyModule copies a module out of the cache, which is read-only, unless that has been done.
func copyModule(to, from string) error {
	if _, err := os.Stat(filepath.Join(to, "go.mod")); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	temp := to + ".copying"
	if err := errors.Join(os.RemoveAll(temp), os.CopyFS(temp, os.DirFS(from))); err != nil {
		return fmt.Errorf("copy %s: %w", from, err)
	}
	if err := filepath.WalkDir(temp, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		return os.Chmod(path, 0o755)
	}); err != nil {
		return err
	}
	return os.Rename(temp, to)
}
