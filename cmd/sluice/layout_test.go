package main

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The rules of the repository, as tests. They read files; nothing is built.

const module = "github.com/sluicelb/sluice"

// mayImport is the import table: for each package, which of ours and which modules from outside the
// standard library its code may use. Imports point one way, so that each package can be read, tested
// and fuzzed without those above it. Tests may use what testModules lists as well.
var mayImport = map[string]struct{ ours, modules []string }{
	"sni":     {},
	"configs": {modules: []string{"github.com/BurntSushi/toml"}},
	"pool":    {ours: []string{"configs"}},
	"l4": {
		ours:    []string{"configs", "sni", "pool"},
		modules: []string{"github.com/pires/go-proxyproto", "golang.org/x/crypto", "golang.org/x/sys"},
	},
	"cmd/internal/admin": {
		ours:    []string{"configs", "pool", "l4"},
		modules: []string{"github.com/prometheus/client_golang"},
	},
	"cmd/internal/authority":   {}, // certificates for the demo and for tests
	"cmd/internal/cluster":     {}, // a real MinIO cluster on loopback, as processes
	"cmd/internal/cluster/run": {ours: []string{"cmd/internal/cluster"}},
	"cmd/internal/demo":        {ours: []string{"cmd/internal/authority"}}, // the nodes; cmd/sluice puts Sluice in front
	"cmd/internal/doctor": {
		ours:    []string{"configs", "pool", "l4", "cmd/internal/units"},
		modules: []string{"golang.org/x/sys"},
	},
	"cmd/internal/top": {
		ours:    []string{"cmd/internal/admin", "cmd/internal/units"},
		modules: []string{"charm.land/bubbletea/v2"},
	},
	"cmd/internal/need":   {}, // what tests want of a machine
	"cmd/internal/units":  {}, // figures for people
	"cmd/internal/verify": {modules: []string{"github.com/minio/minio-go/v7"}},
	"cmd/sluice": {
		ours: []string{"configs", "sni", "pool", "l4",
			"cmd/internal/admin", "cmd/internal/demo", "cmd/internal/doctor", "cmd/internal/top", "cmd/internal/units", "cmd/internal/verify"},
		modules: []string{"github.com/urfave/cli/v2", "github.com/xrash/smetrics",
			"github.com/schollz/progressbar/v3", "golang.org/x/term", "github.com/coreos/go-systemd/v22"},
	},
	"cmd/sluice/e2e": { // a black box as well, behind a build tag
		ours:    []string{"cmd/internal/cluster"},
		modules: []string{"github.com/minio/minio-go/v7", "github.com/chromedp/chromedp", "github.com/chromedp/cdproto"},
	},
	"cmd/sluice/interop":  {ours: []string{"cmd/internal/cluster", "cmd/internal/authority"}},                 // likewise
	"cmd/sluice/e2e/page": {modules: []string{"github.com/chromedp/chromedp", "github.com/chromedp/cdproto"}}, // likewise
	"bench":               {modules: []string{"golang.org/x/sys", "gonum.org/v1/plot"}},                       // a black box: it drives the built binary
}

// testModules may be used by the tests of every package, and testPackages of ours by those of some.
var testModules = []string{
	"golang.org/x/sys", "github.com/minio/minio-go/v7", "github.com/chromedp", "github.com/rogpeppe/go-internal",
}

var testPackages = map[string][]string{
	"cmd/internal/admin":  {"cmd/internal/need"},
	"cmd/internal/verify": {"cmd/internal/authority", "cmd/internal/demo"},
	"cmd/sluice":          {"cmd/internal/need", "cmd/internal/authority"},
	"cmd/sluice/e2e":      {"cmd/internal/need"},
	"cmd/sluice/e2e/page": {"cmd/internal/need"},
	"cmd/sluice/interop":  {"cmd/internal/need"},
}

// notInCode are packages of the standard library that stay out of what is shipped, and why.
var notInCode = map[string]string{
	"testing": "production code does not know that it is tested",
	"log":     "a *slog.Logger is passed in, there is no global logger",
}

func TestImportsPointOneWay(t *testing.T) {
	for file, f := range goFiles(t) {
		pkg := path.Dir(file)
		allowed, listed := mayImport[pkg]
		if !listed {
			t.Errorf("%s: package %s is not in the import table", file, pkg)
			continue
		}
		isTest := strings.HasSuffix(file, "_test.go")
		for _, spec := range f.Imports {
			name := strings.Trim(spec.Path.Value, `"`)
			if why, banned := notInCode[name]; banned && !isTest && pkg != "cmd/internal/need" { // which only tests may import
				t.Errorf("%s imports %s: %s", file, name, why)
			}
			if ours, ok := strings.CutPrefix(name, module+"/"); ok {
				if !slices.Contains(allowed.ours, ours) && !(isTest && (ours == pkg || slices.Contains(testPackages[pkg], ours))) {
					t.Errorf("%s imports %s: %s may import of ours only %q", file, ours, pkg, allowed.ours)
				}
				continue
			}
			if first, _, _ := strings.Cut(name, "/"); !strings.Contains(first, ".") {
				continue // the standard library
			}
			inModule := func(m string) bool { return name == m || strings.HasPrefix(name, m+"/") }
			if !slices.ContainsFunc(allowed.modules, inModule) && !(isTest && slices.ContainsFunc(testModules, inModule)) {
				t.Errorf("%s imports %s: %s may import from outside only %q", file, name, pkg, allowed.modules)
			}
		}
	}
}

func TestEveryPackageHasOneDoc(t *testing.T) {
	docs := map[string][]string{}
	for file, f := range goFiles(t) {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		pkg := path.Dir(file)
		if docs[pkg] = append(docs[pkg], nil...); f.Doc == nil {
			continue
		}
		docs[pkg] = append(docs[pkg], file)
		if first, _, _ := strings.Cut(f.Doc.Text(), "\n"); !strings.HasPrefix(first, "Package "+f.Name.Name+" ") &&
			!(f.Name.Name == "main" && strings.HasPrefix(first, "Command "+path.Base(pkg)+" ")) {
			t.Errorf("%s: the package comment starts with %q", file, first)
		}
	}
	for pkg := range mayImport {
		if files, exists := docs[pkg]; exists && len(files) != 1 {
			t.Errorf("package %s has %d package comments %q, want one", pkg, len(files), files)
		}
	}
}

func TestExportedIdentifiersHaveDocs(t *testing.T) {
	types := map[string]bool{} // pkg.Type with a doc comment: its typed constants need none of their own
	files := goFiles(t)
	for file, f := range files {
		for _, d := range f.Decls {
			if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.TYPE {
				for _, s := range g.Specs {
					s := s.(*ast.TypeSpec)
					types[path.Dir(file)+"."+s.Name.Name] = g.Doc != nil || s.Doc != nil
				}
			}
		}
	}
	for file, f := range files {
		if f.Name.Name == "main" || strings.HasSuffix(file, "_test.go") {
			continue
		}
		for _, d := range f.Decls {
			for _, name := range undocumented(d, path.Dir(file), types) {
				t.Errorf("%s: %s has no doc comment", file, name)
			}
		}
	}
}

// undocumented lists the exported identifiers that a declaration leaves without a comment.
func undocumented(d ast.Decl, pkg string, types map[string]bool) (names []string) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Doc == nil && d.Name.IsExported() && exportedReceiver(d) {
			names = append(names, d.Name.Name)
		}
	case *ast.GenDecl:
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.TypeSpec:
				if s.Name.IsExported() && d.Doc == nil && s.Doc == nil {
					names = append(names, s.Name.Name)
				}
			case *ast.ValueSpec:
				typ, _ := s.Type.(*ast.Ident)
				if d.Doc != nil || s.Doc != nil || s.Comment != nil || typ != nil && types[pkg+"."+typ.Name] {
					continue
				}
				if d.Tok == token.CONST && s.Type == nil && s.Values == nil {
					continue // an iota that goes on: its type is that of the first
				}
				for _, n := range s.Names {
					if n.IsExported() {
						names = append(names, n.Name)
					}
				}
			}
		}
	}
	return names
}

// exportedReceiver tells whether a function is a plain one or the method of an exported type.
func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	typ := d.Recv.List[0].Type
	for {
		switch t := typ.(type) {
		case *ast.StarExpr:
			typ = t.X
		case *ast.IndexExpr:
			typ = t.X
		case *ast.Ident:
			return t.IsExported()
		default:
			return false
		}
	}
}

func TestFilesStayShort(t *testing.T) {
	const question, refuse = 400, 600
	for _, file := range tracked(t) {
		if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			continue
		}
		switch lines := bytes.Count(read(t, file), []byte("\n")); {
		case lines > refuse:
			t.Errorf("%s has %d lines, more than %d: it holds more than one noun", file, lines, refuse)
		case lines > question:
			t.Logf("%s has %d lines, more than %d", file, lines, question)
		}
	}
}

func TestGoModHasNoReplace(t *testing.T) {
	if m := regexp.MustCompile(`(?m)^\s*(replace|exclude)\b.*`).Find(read(t, "go.mod")); m != nil {
		t.Errorf("go.mod: %q: `go install` of a version refuses such a module", m)
	}
}

func TestTopLevel(t *testing.T) {
	want := []string{"CHANGELOG.md", "LICENSE", "Makefile", "README.md",
		"bench", "cmd", "configs", "go.mod", "go.sum", "l4", "pool", "sni"}
	var got []string
	for _, file := range tracked(t) {
		first, _, _ := strings.Cut(file, "/")
		if !strings.HasPrefix(first, ".") {
			got = append(got, first)
		}
	}
	slices.Sort(got)
	if got = slices.Compact(got); !slices.Equal(got, want) {
		t.Errorf("top level: got %q, want %q", got, want)
	}
}

// TestNoDeveloperPaths finds what only means something on the machine where it was written: the
// place of the repository, and anybody's home.
func TestNoDeveloperPaths(t *testing.T) {
	homes := regexp.MustCompile(`(?:/home|/Users)/[a-z][a-z0-9_-]+/|[A-Z]:\\Users\\`)
	here, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range tracked(t) {
		if file == "cmd/sluice/layout_test.go" {
			continue
		}
		text := read(t, file)
		if bytes.Contains(text, []byte(here+"/")) {
			t.Errorf("%s names the place of this repository, %s", file, here)
		}
		if m := homes.Find(text); m != nil && utf8Text(text) {
			t.Errorf("%s names a home directory: %q", file, m)
		}
	}
}

func utf8Text(b []byte) bool { return !bytes.Contains(b, []byte{0}) }

// root is the repository, seen from this package's folder, where `go test` runs.
const root = "../.."

// tracked lists the repository's files: those git knows, and new ones it would not ignore.
func tracked(t *testing.T) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", "ls-files", "--cached", "--others", "--exclude-standard")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Skipf("not a git repository, or no git: %v", err)
	}
	return slices.DeleteFunc(strings.Split(strings.TrimSpace(string(out)), "\n"), func(file string) bool {
		_, err := os.Lstat(filepath.Join(root, file))
		return err != nil // deleted, but not yet from git
	})
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// goFiles parses every Go file of the repository, whatever system it is for.
func goFiles(t *testing.T) map[string]*ast.File {
	t.Helper()
	files := map[string]*ast.File{}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		if d.IsDir() {
			skip := rel != "." && strings.HasPrefix(d.Name(), ".") || slices.Contains([]string{"testdata", "bin", "dist", "artifacts"}, d.Name())
			if skip {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(rel, ".go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		files[filepath.ToSlash(rel)] = f
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatalf("no Go files under %s", root)
	}
	return files
}
