package configs

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sort"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
)

// maxFile bounds a configuration file. One with 4096 nodes, each written out and weighted, has a
// quarter of it.
const maxFile = 1 << 20

// Load reads the configuration file at path and checks it as far as that is possible without acting on
// it. It reports everything that it finds, not only the first. If that includes an error, the Config
// is nil; warnings come with a Config that works. Files that it names are relative to its own folder.
func Load(path string) (*Config, *Report) {
	text, err := readFile(path)
	if err != nil {
		return nil, &Report{Problems: []Problem{{Pos: Position{File: path}, What: err.Error()}}}
	}
	cfg, report := Parse(path, text)
	if cfg != nil {
		cfg.locateFiles()
	}
	return cfg, report
}

// Parse is [Load] for a text that was read already. The name is only for messages, and names of files stay
// as they are.
func Parse(name, text string) (*Config, *Report) {
	return parse(name, text, unsupported)
}

func readFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", shortened(err)
	}
	defer f.Close()

	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return "", shortened(err)
	}
	if len(text) > maxFile {
		return "", fmt.Errorf("the file is longer than %d bytes, which no configuration needs", maxFile)
	}
	return string(text), nil
}

// shortened is err without the path, which stands at the beginning of the line already.
func shortened(err error) error {
	if pathErr, ok := errors.AsType[*os.PathError](err); ok {
		return fmt.Errorf("%s: %w", pathErr.Op, pathErr.Err)
	}
	return err
}

// maxProblems bounds what is reported. A file with more is refused, even if these are all warnings.
const maxProblems = 500

// parse is Parse with a choice of the keys that are refused as not yet supported.
func parse(name, text string, refused []refusal) (*Config, *Report) {
	text = strings.TrimPrefix(text, "\ufeff")
	f := &file{name: name, text: text, refused: refused, report: new(Report), entries: make(map[any]*entry)}
	cfg := Default()
	cfg.Path = name
	if root := f.parse(); root != nil {
		f.table(root, cfg)
		f.validate(root, cfg)
	}
	if f.full() {
		f.syntax(len(f.text), fmt.Sprintf("there are more than these %d problems", maxProblems), "")
	}
	f.report.sort()
	if f.report.Err() != nil {
		return nil, f.report
	}
	return cfg, f.report
}

// file is one configuration file while it is read.
type file struct {
	name    string
	text    string
	refused []refusal
	report  *Report
	lines   []int          // offsets where they begin
	entries map[any]*entry // where each *Listener, *Pool and so on came from

	addresses int // that ellipses were expanded to so far
}

// parse builds the tree of entries. If the text is no TOML it reports that and returns nil.
func (f *file) parse() *entry {
	f.lines = []int{0}
	for i := range len(f.text) {
		if f.text[i] == '\n' {
			f.lines = append(f.lines, i+1)
		}
	}
	if strings.HasPrefix(f.text, "\xff\xfe") || strings.HasPrefix(f.text, "\xfe\xff") {
		f.syntax(0, "the file is in UTF-16", "save it as UTF-8")
		return nil
	}
	root, deep := locate(f.text)
	if deep >= 0 {
		f.syntax(deep, fmt.Sprintf("nested deeper than %d levels", maxDepth), "no key needs more than 5")
		return nil
	}
	data, err := decodeTOML(f.text)
	if err != nil {
		f.syntaxError(err)
		return nil
	}
	root.attach(data)
	return root
}

// decodeTOML is toml.Decode with the library's own assertions, which are panics, as errors.
func decodeTOML(text string) (data map[string]any, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the TOML library gives up: %v", r)
		}
	}()
	_, err = toml.Decode(text, &data)
	return data, err
}

// syntaxError reports what the library found. It stops at the first error, so there is but one.
func (f *file) syntaxError(err error) {
	bad, ok := errors.AsType[toml.ParseError](err)
	if !ok {
		f.syntax(0, err.Error(), "")
		return
	}
	what := printable(bad.Message)
	if strings.HasSuffix(bad.LastKey, "token") {
		what = "this is no TOML value" // the library's message would quote the secret
	}
	f.syntax(bad.Position.Start, what, "")
}

// printable escapes what a message of the library may quote from the file: line ends, control characters.
func printable(s string) string {
	s = strconv.Quote(s)
	return strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(s[1 : len(s)-1])
}

// syntax reports an error of the text itself.
func (f *file) syntax(at int, what, right string) {
	f.report.Problems = append(f.report.Problems, Problem{Pos: f.position(at), What: what, Right: right})
}

// position translates an offset. What lies beyond the text is at its end, and the end of a file that
// ends with a line end is the end of its last line, where an editor can go.
func (f *file) position(at int) Position {
	at = max(0, min(at, len(strings.TrimRight(f.text, "\r\n"))))
	line := sort.SearchInts(f.lines, at+1)
	return Position{File: f.name, Line: line, Col: at - f.lines[line-1] + 1}
}

// err reports an error about e: about its value, or about the table that lacks it. One that follows
// another about the same key says nothing new and is left out.
func (f *file) err(e *entry, what, right string) {
	if e.bad {
		return
	}
	f.add(e, e.value, false, what, right)
	e.markBad()
}

// keyErr is err about the key itself.
func (f *file) keyErr(e *entry, what, right string) {
	if e.bad {
		return
	}
	f.add(e, e.key, false, what, right)
	e.markBad()
}

// warn reports something about e that does not keep the file from being used.
func (f *file) warn(e *entry, what, right string) {
	if !e.bad {
		f.add(e, e.value, true, what, right)
	}
}

// full says that nothing more is reported, so that what would be need not be found.
func (f *file) full() bool { return len(f.report.Problems) >= maxProblems }

func (f *file) add(e *entry, at int, warning bool, what, right string) {
	if f.full() {
		return
	}
	f.report.Problems = append(f.report.Problems, Problem{
		Pos: f.position(at), Warning: warning, Key: e.path(), Owner: e.owner(), What: what, Right: right,
	})
}

// markBad notes that an error was reported, here and for the list that e is an element of.
func (e *entry) markBad() {
	e.bad = true
	if e.index >= 0 {
		e.parent.bad = true
	}
}

// excuse notes that a missing key is not to be missed: what stands for it was reported already.
func (e *entry) excuse(name string) {
	if e.has(name) {
		return
	}
	c := e.child(name, e.key)
	c.bad = true
}
