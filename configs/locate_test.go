package configs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/BurntSushi/toml"
)

// TestLocate says, for each key of a text, the offset of the key and of its value.
func TestLocate(t *testing.T) {
	for _, tt := range []struct {
		name string
		text string
		want map[string]string // path: the text from the key on, " => ", the text from the value on
	}{
		{"pair", "a = 1", map[string]string{"a": "a = 1 => 1"}},
		{"dotted", `a . "b.c".d=1`, map[string]string{"a": "a . ", `a."b.c"`: `"b.c".d => "b.c"`, `a."b.c".d": `: ""}},
		{"header", "[a.b]\nc = 1\n[a]\nd = 2", map[string]string{"a": "a]\nd", "a.b": "b]\nc", "a.b.c": "c = 1 => 1\n", "a.d": "d = 2 => 2"}},
		{"list of tables", "[[a]]\nb=1\n[[a]]\nb=2\n[a.c]\nd=3\n[[a.e]]\nf=4\n[[a.e]]\nf=5", map[string]string{
			"a[0].b": "b=1 => 1", "a[1]": "a]]\nb=2", "a[1].b": "b=2 => 2", "a[1].c.d": "d=3 => 3", "a[1].e[0].f": "f=4 => 4", "a[1].e[1].f": "f=5 => 5"}},
		{"list", "a = [ 'x', # ]\n [1, 2],\n]", map[string]string{"a[0]": "'x' => 'x'", "a[1][1]": "2] => 2]"}},
		{"inline table", "a = { b = 1, c.d = [ { e = '}' } ] }", map[string]string{"a.b": "b = 1 => 1,", "a.c.d[0].e": "e = => '}'"}},
		{"inline table on lines", "a = {\n b = 1, # }\n c = 2,\n}", map[string]string{"a.c": "c = 2 => 2,"}},
		{"strings", "a = \"\\\"#\"\nb = '\\'\nc = \"\"\"x\n\"\" \\\"\"\"\"\"\"\nd = '''\n''y'''''\ne = 1", map[string]string{
			"b": `b = => '\'`, "c": `c = => """x`, "d": "d = => '''\n", "e": "e = 1 => 1"}},
		{"escaped key", `"\u0061\x62\t" = 1`, map[string]string{`"ab\t"`: `"\u0061 => 1`}},
		{"date", "a = 1979-05-27 07:32:00\nb = 1", map[string]string{"a": "a = => 1979", "b": "b => 1"}},
		{"Windows", "a = 1\r\n[b]\r\nc = [\r\n2\r\n]\r\n", map[string]string{"b.c[0]": "2\r => 2\r"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root, _ := locate(tt.text)
			var data map[string]any
			if _, err := toml.Decode(tt.text, &data); err != nil {
				t.Fatal(err)
			}
			root.attach(data)
			found := make(map[string]*entry)
			walk(root, func(e *entry) { found[e.path()] = e })
			for path, want := range tt.want {
				if want == "" {
					continue
				}
				e := found[path]
				if e == nil {
					t.Errorf("%s was not found", path)
					continue
				}
				key, value, hasValue := strings.Cut(want, " => ")
				if !strings.HasPrefix(tt.text[e.key:], key) {
					t.Errorf("%s: got key %q, want %q", path, tt.text[e.key:], key)
				}
				if hasValue && !strings.HasPrefix(tt.text[e.value:], value) {
					t.Errorf("%s: got value %q, want %q", path, tt.text[e.value:], value)
				}
			}
		})
	}
}

func walk(e *entry, visit func(*entry)) {
	visit(e)
	for _, c := range e.fields {
		walk(c, visit)
	}
	for _, c := range e.items {
		walk(c, visit)
	}
}

// TestDepth holds the bound on nesting, for values and for keys.
func TestDepth(t *testing.T) {
	for _, tt := range []struct {
		name string
		text string
		want int
	}{
		{"lists at the bound", "a = " + strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth), -1},
		{"lists", "a = " + strings.Repeat("[", 1<<20), 4 + maxDepth},
		{"tables", strings.Repeat("a={", 1<<18), 3*maxDepth + 2},
		{"key at the bound", strings.Repeat("a.", maxDepth-1) + "a=1", -1},
		{"key", strings.Repeat("a.", 1<<19), 2 * maxDepth},
		{"header", "[" + strings.Repeat("a.", 1<<19) + "a]", 1 + 2*maxDepth},
	} {
		start := time.Now()
		if _, got := locate(tt.text); got != tt.want {
			t.Errorf("%s: got %d, want %d", tt.name, got, tt.want)
		}
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("%s: took %v", tt.name, took)
		}
	}
}

// FuzzLocate has the TOML library as its oracle: whatever it reads has been located, under the same
// name, and nothing else has been. Where the library fails, locate must only end.
func FuzzLocate(f *testing.F) {
	files, err := filepath.Glob("testdata/*/*.toml")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	for _, text := range []string{
		"a = \"\"\"\"\"x\"\"\"\"\"\nb = '''''x'''''", `"" = 1`, `'a'."b" = {c=[{d=1},]}`, "[[a.b]]\n[[a.b]]\nc.d=1\n[a.b.e]\n",
		"a=[[{b=1},{b=2}],[]]", "[a]\r\nb=\"\\\\\"\r\n", "a=-inf\nb=+nan\nc=07:32:00\n", "[ a . 'b' ]\nc=\"\\U0001F600\"", "\"\\e\\x41\"=\"\"\"\\\n  x\"\"\"",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		root, deep := locate(text)
		if strings.HasPrefix(text, "\ufeff") || strings.HasPrefix(text, "\xff\xfe") || strings.HasPrefix(text, "\xfe\xff") {
			return // the library skips these, and so does parse
		}
		data, err := decodeTOML(text)
		if err != nil || deep >= 0 {
			return
		}
		compare(t, text, root, data)
	})
}

// compare wants e to be where data came from.
func compare(t *testing.T, text string, e *entry, data any) {
	t.Helper()
	fields, items := 0, 0
	switch data := data.(type) {
	case map[string]any:
		fields = len(data)
		for name, value := range data {
			c := e.fields[name]
			if c == nil {
				t.Errorf("%q has no key %q", e.path(), name)
				continue
			}
			if got := keyAt(text, c.key); got != name {
				t.Errorf("%s: at its place stands the key %q", c.path(), got)
			}
			compare(t, text, c, value)
		}
	case []map[string]any:
		items = len(data)
		for i := range min(items, len(e.items)) {
			compare(t, text, e.items[i], data[i])
		}
	case []any:
		items = len(data)
		for i := range min(items, len(e.items)) {
			compare(t, text, e.items[i], data[i])
		}
	case string:
		if c := text[e.value]; c != '"' && c != '\'' {
			t.Errorf("%s: its string begins with %q", e.path(), c)
		}
	case bool:
		if !strings.HasPrefix(text[e.value:], "true") && !strings.HasPrefix(text[e.value:], "false") {
			t.Errorf("%s: its boolean is %q", e.path(), text[e.value:])
		}
	}
	if len(e.fields) != fields || len(e.items) != items {
		t.Errorf("%q: got %d keys and %d elements, want %d and %d", e.path(), len(e.fields), len(e.items), fields, items)
	}
}

// keyAt lets the library read the one word of a key that stands at an offset.
func keyAt(text string, at int) string {
	rest := text[at:]
	for end := range len(rest) {
		var data map[string]any
		if _, err := toml.Decode(rest[:end+1]+"=1", &data); err != nil || len(data) != 1 {
			continue
		}
		if end+1 < len(rest) && rest[0] != '"' && rest[0] != '\'' && strings.Trim(rest[end+1:end+2], "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == "" {
			continue // the word goes on
		}
		for name := range data {
			return name
		}
	}
	return ""
}
