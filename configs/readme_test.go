package configs

import (
	"fmt"
	"log/slog"
	"net/netip"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// required are the keys without a default.
var required = []string{
	"listener.name", "listener.address", "listener.route.sni", "listener.route.pool", "listener.certificate.cert", "listener.certificate.key",
	"listener.client_auth.ca", "listener.ech.config", "listener.ech.key", "pool.name", "pool.nodes",
}

// TestReadme compares the reference with the schema: the same keys under the same headings, the same
// types, the same defaults.
func TestReadme(t *testing.T) {
	want := make(map[string][2]string)
	reference(want, "", reflect.ValueOf(Default()).Elem())
	reference(want, "listener.", reflect.ValueOf(DefaultListener()).Elem())
	reference(want, "pool.", reflect.ValueOf(DefaultPool()).Elem())
	for prefix, of := range map[string]reflect.Type{
		"listener.route.": reflect.TypeFor[Route](), "listener.certificate.": reflect.TypeFor[Certificate](),
		"listener.client_auth.": reflect.TypeFor[ClientAuth](), "listener.ech.": reflect.TypeFor[ECHKey](),
	} {
		reference(want, prefix, reflect.ValueOf(newTable(of)).Elem())
	}
	for key := range schemaKeys() {
		if _, ok := want[key]; !ok && !slices.Contains([]string{
			"log", "admin", "limits", "timeouts", "listener", "pool", "pool.check", "pool.eject", "pool.tls",
			"listener.route", "listener.certificate", "listener.client_auth", "listener.ech",
		}, key) {
			t.Errorf("%s: this test does not know its table", key)
		}
	}

	got := make(map[string][2]string)
	prefix := ""
	heading := regexp.MustCompile("^##+ `\\[+([a-z_.]+)\\]+`$")
	row := regexp.MustCompile("^\\| `([a-z_]+)` \\| ([^|]+) \\| ([^|]+) \\| ([^|]+) \\| ([^|]*)\\|$")
	for line := range strings.Lines(readText(t, "README.md")) {
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(line, "#") {
			prefix = ""
		}
		if m := heading.FindStringSubmatch(line); m != nil {
			prefix = m[1] + "."
		}
		if m := row.FindStringSubmatch(line); m != nil && prefix != "" {
			if _, twice := got[prefix+m[1]]; twice {
				t.Errorf("%s%s is there twice", prefix, m[1])
			}
			got[prefix+m[1]] = [2]string{m[2], m[3]}
		}
	}
	for key, w := range want {
		if g, ok := got[key]; !ok {
			t.Errorf("%s is missing: | `%s` | %s | %s |", key, key[strings.LastIndexByte(key, '.')+1:], w[0], w[1])
		} else if g != w {
			t.Errorf("%s: got %q, want %q", key, g, w)
		}
	}
	for key := range got {
		if _, ok := want[key]; !ok {
			t.Errorf("%s: there is no such key", key)
		}
	}
}

// reference notes the type and the default of each key of a table, in the words of README.md.
func reference(into map[string][2]string, prefix string, table reflect.Value) {
	for name, i := range fieldsOf(table.Type()) {
		key, v := prefix+name, table.Field(i)
		switch {
		case v.Kind() == reflect.Struct && v.Type() != reflect.TypeFor[netip.Prefix]():
			reference(into, key+".", v)
		case v.Kind() == reflect.Pointer, v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Pointer:
			// a table with a heading of its own
		default:
			text := "`" + defaultText(v) + "`"
			if slices.Contains(required, key) {
				text = "required"
			}
			into[key] = [2]string{typeText(v.Type()), text}
		}
	}
}

func typeText(t reflect.Type) string {
	if set := words[t]; set != nil {
		quoted := make([]string, len(set))
		for i, word := range set {
			quoted[i] = fmt.Sprintf("`%q`", word)
		}
		return strings.Join(quoted, ", ")
	}
	switch t {
	case reflect.TypeFor[time.Duration]():
		return "duration"
	case reflect.TypeFor[netip.Prefix]():
		return "network"
	case reflect.TypeFor[Secret]():
		return "secret"
	case reflect.TypeFor[FileMode]():
		return "file mode"
	}
	switch t.Kind() {
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return "whole number"
	case reflect.Float64:
		return "number"
	case reflect.Slice:
		return "list of " + typeText(t.Elem()) + "s"
	case reflect.Map:
		return "table of " + typeText(t.Elem()) + "s"
	}
	return t.String()
}

func defaultText(v reflect.Value) string {
	switch d := v.Interface().(type) {
	case time.Duration:
		return strconv.Quote(short(d))
	case slog.Level:
		return strconv.Quote(strings.ToLower(d.String()))
	case FileMode:
		return fmt.Sprintf(`"%04o"`, uint32(d))
	}
	switch v.Kind() {
	case reflect.String:
		return strconv.Quote(v.String())
	case reflect.Slice:
		items := make([]string, v.Len())
		for i := range items {
			items[i] = defaultText(v.Index(i))
		}
		return "[" + strings.Join(items, ", ") + "]"
	case reflect.Map:
		return "{}"
	}
	return fmt.Sprint(v)
}

// TestExample wants example.toml to show every key, and the process's tables with their defaults.
func TestExample(t *testing.T) {
	text := readText(t, "example.toml")
	cfg, report := parse("example.toml", text, everything)
	if err := report.Err(); err != nil {
		t.Fatal(err)
	}
	want := Default()
	if cfg.Log != want.Log || cfg.Admin != want.Admin || cfg.Limits != want.Limits || cfg.Timeouts != want.Timeouts {
		t.Errorf("got %+v, want %+v", cfg, want)
	}
	if got, want := cfg.Pools[0].Check, DefaultPool().Check; !reflect.DeepEqual(got, want) {
		t.Errorf("check: got %+v, want %+v", got, want)
	}
	if got, want := cfg.Pools[0].Eject, DefaultPool().Eject; got != want {
		t.Errorf("eject: got %+v, want %+v", got, want)
	}
	shown := shownKeys(text)
	for key := range schemaKeys() {
		if !shown[key] {
			t.Errorf("%s is not shown", key)
		}
	}
}

// shownKeys are the keys of a text, those in comments too.
func shownKeys(text string) map[string]bool {
	shown := make(map[string]bool)
	table := ""
	line := regexp.MustCompile(`^#?(?:\[+([a-z_.]+)\]+|([a-z_]+) *=)`)
	for s := range strings.Lines(text) {
		switch m := line.FindStringSubmatch(s); {
		case m == nil:
		case m[1] != "":
			table = m[1]
			shown[table] = true
		default:
			shown[table+"."+m[2]] = true
		}
	}
	return shown
}

// TestExampleComments reads example.toml without the marks before what is commented out.
func TestExampleComments(t *testing.T) {
	mark := regexp.MustCompile(`(?m)^#([a-z\[])`)
	_, report := parse("example.toml", mark.ReplaceAllString(readText(t, "example.toml"), "$1"), everything)
	// These need a socket, and a check of another type: that is why they are commented out.
	alone := []string{"admin.mode", "admin.group", "pool[0].check.status"}
	for _, p := range report.Errors() {
		if !slices.Contains(alone, p.Key) {
			t.Error(p)
		}
	}
	if got, want := len(report.Errors()), len(alone); got != want {
		t.Errorf("got %d errors, want %d", got, want)
	}
}
