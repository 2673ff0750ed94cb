package configs

import (
	"fmt"
	"log/slog"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The schema is the types of this package: the tag says how a field is called in the file, its type
// what may stand there. This file walks over both, the file and the type, at once.

// words are the values that a string of a fixed set may have, in the order of the documentation.
var words = map[reflect.Type][]string{
	reflect.TypeFor[Mode]():           {string(Plain), string(Passthrough), string(Terminate)},
	reflect.TypeFor[Relay]():          {string(RelayAuto), string(RelayCopy)},
	reflect.TypeFor[Balance]():        {string(LeastConn), string(RoundRobin), string(Random), string(Source), string(LeastBytes)},
	reflect.TypeFor[ProxyOut]():       {string(ProxyOff), string(ProxyV1), string(ProxyV2), string(ProxyPassthrough)},
	reflect.TypeFor[OnDown]():         {string(Keep), string(Close)},
	reflect.TypeFor[CheckType]():      {string(CheckMinIO), string(CheckHTTP), string(CheckTCP), string(CheckTLS), string(CheckNone)},
	reflect.TypeFor[LogFormat]():      {string(LogText), string(LogJSON)},
	reflect.TypeFor[ClientAuthMode](): {string(ClientAuthRequire), string(ClientAuthRequest)},
	reflect.TypeFor[TLSVersion]():     {string(TLS12), string(TLS13)},
	reflect.TypeFor[slog.Level]():     {"debug", "info", "warn", "error"},
}

// tables makes the tables that do not start out empty.
var tables = map[reflect.Type]func() any{
	reflect.TypeFor[Listener]():   func() any { return DefaultListener() },
	reflect.TypeFor[Pool]():       func() any { return DefaultPool() },
	reflect.TypeFor[ClientAuth](): func() any { return DefaultClientAuth() },
}

// table reads e, which is a table, into the struct that into points to.
func (f *file) table(e *entry, into any) {
	f.entries[into] = e
	v := reflect.ValueOf(into).Elem()
	if pos := v.FieldByName("Pos"); pos.IsValid() {
		pos.Set(reflect.ValueOf(f.position(e.key)))
	}
	fields := fieldsOf(v.Type())
	for _, c := range e.sorted() {
		if i, ok := fields[c.name]; ok {
			field := v.Field(i)
			before := reflect.New(field.Type()).Elem()
			before.Set(field)
			f.value(c, field)
			f.refuse(c, before, field)
			continue
		}
		f.unknown(e, c, v.Type())
	}
}

// fieldsOf returns the keys of a table's type.
func fieldsOf(t reflect.Type) map[string]int {
	fields := make(map[string]int)
	for i := range t.NumField() {
		if name := t.Field(i).Tag.Get("toml"); name != "-" {
			fields[name] = i
		}
	}
	return fields
}

// unknown reports a key that the schema does not have.
func (f *file) unknown(table, e *entry, t reflect.Type) {
	if f.full() {
		return
	}
	var have []string
	for name := range fieldsOf(t) {
		have = append(have, name)
	}
	slices.Sort(have)
	if best, ok := closest(e.name, have); ok {
		f.keyErr(e, "no such key", fmt.Sprintf("did you mean %q?", best))
		table.excuse(best)
		return
	}
	if home := homes(e.name); len(home) > 0 {
		f.keyErr(e, "no such key", fmt.Sprintf("%q belongs in %s", e.name, strings.Join(home, " or ")))
		return
	}
	f.keyErr(e, "no such key", "known here: "+list(have))
}

// value reads the value of e into v, which keeps its default if it cannot.
func (f *file) value(e *entry, v reflect.Value) {
	switch into := v.Addr().Interface().(type) {
	case *time.Duration:
		f.duration(e, into)
	case *slog.Level:
		f.level(e, into)
	case *FileMode:
		f.fileMode(e, into)
	case *netip.Prefix:
		f.prefix(e, into)
	case *Secret:
		if s, ok := e.data.(string); ok {
			*into = Secret(s)
		} else {
			f.err(e, "the value is not a string, in quotes", "") // and is not shown
		}
	default:
		f.byKind(e, v)
	}
}

func (f *file) byKind(e *entry, v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		f.str(e, v)
	case reflect.Bool:
		if b, ok := e.data.(bool); ok {
			v.SetBool(b)
		} else {
			f.wrongType(e, "true or false", "")
		}
	case reflect.Int:
		if n, ok := e.data.(int64); ok {
			v.SetInt(n)
		} else {
			f.wrongType(e, "a whole number", unquoted(e))
		}
	case reflect.Float64:
		switch n := e.data.(type) {
		case float64:
			v.SetFloat(n)
		case int64:
			v.SetFloat(float64(n))
		default:
			f.wrongType(e, "a number", unquoted(e))
		}
	case reflect.Struct:
		if f.isTable(e) {
			f.table(e, v.Addr().Interface())
		}
	case reflect.Pointer:
		if f.isTable(e) {
			v.Set(reflect.ValueOf(newTable(v.Type().Elem())))
			f.table(e, v.Interface())
		}
	case reflect.Slice:
		f.list(e, v)
	case reflect.Map:
		f.mapping(e, v)
	default:
		panic("configs: the schema has a type that files cannot: " + v.Type().String())
	}
}

// str reads a string, and one of a fixed set.
func (f *file) str(e *entry, v reflect.Value) {
	s, ok := e.data.(string)
	if !ok {
		right := ""
		switch e.data.(type) {
		case int64, float64, bool:
			right = fmt.Sprintf("write it in quotes: \"%v\"", e.data)
		}
		f.wrongType(e, "a string", right)
		return
	}
	if set := words[v.Type()]; set != nil && !slices.Contains(set, s) {
		f.err(e, fmt.Sprintf("%q is not known", s), oneOf(s, set))
		return
	}
	v.SetString(s)
}

// list reads a list of values, or of tables. An element that cannot be read stays zero, so that
// numbers keep their meaning.
func (f *file) list(e *entry, v reflect.Value) {
	ofTables := v.Type().Elem().Kind() == reflect.Pointer
	if _, isList := listed(e); !isList {
		switch {
		case ofTables && isTable(e):
			f.keyErr(e, "is one table, and may be several", fmt.Sprintf("write [[%s]], with two brackets each side", e.kind()))
		case ofTables:
			f.wrongType(e, "a list of tables", fmt.Sprintf("write [[%s]] on a line of its own", e.kind()))
		case e.kind() == "listener.address": // the one list that may be written as a string
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
			f.value(e, v.Index(0))
		default:
			f.wrongType(e, "a list", fmt.Sprintf("write it in brackets: [%s]", quoted(e.data)))
		}
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), 0, len(e.items)))
	for _, item := range e.items {
		if ofTables && !isTable(item) {
			f.wrongType(item, "a table", fmt.Sprintf("write [[%s]] on a line of its own", e.kind()))
			continue
		}
		element := reflect.New(v.Type().Elem()).Elem()
		f.value(item, element)
		f.refuse(item, reflect.Zero(element.Type()), element)
		v.Set(reflect.Append(v, element))
	}
}

// mapping reads a table whose keys are the operator's own.
func (f *file) mapping(e *entry, v reflect.Value) {
	if !f.isTable(e) {
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	for _, c := range e.sorted() {
		element := reflect.New(v.Type().Elem()).Elem()
		f.value(c, element)
		v.SetMapIndex(reflect.ValueOf(c.name), element)
	}
}

func newTable(t reflect.Type) any {
	if filled := tables[t]; filled != nil {
		return filled()
	}
	return reflect.New(t).Interface()
}

// isTable says whether e is a table, and reports it if it is not.
func (f *file) isTable(e *entry) bool {
	if isTable(e) {
		return true
	}
	if _, isList := listed(e); isList {
		f.keyErr(e, "is a list, and can only be one table", fmt.Sprintf("write [%s], with one bracket each side", e.kind()))
	} else {
		f.wrongType(e, "a table", fmt.Sprintf("write [%s] on a line of its own, and its keys below", e.kind()))
	}
	return false
}

func isTable(e *entry) bool {
	_, ok := e.data.(map[string]any)
	return ok
}

func listed(e *entry) (items []*entry, ok bool) {
	switch e.data.(type) {
	case []any, []map[string]any:
		return e.items, true
	}
	return nil, false
}

// wrongType reports a value of another type than want.
func (f *file) wrongType(e *entry, want, right string) {
	f.err(e, fmt.Sprintf("%s is not %s", describe(e.data), want), right)
}

// describe names a value in a message.
func describe(data any) string {
	switch data := data.(type) {
	case string:
		return "the string " + clipped(data)
	case int64, float64:
		return fmt.Sprintf("the number %v", data)
	case bool:
		return strconv.FormatBool(data)
	case time.Time:
		return "a date or time"
	case map[string]any:
		return "a table"
	}
	return "a list"
}

// clipped quotes a string for a message, and not all of a long one.
func clipped(s string) string {
	const most = 80
	if len(s) <= most {
		return strconv.Quote(s)
	}
	return strconv.Quote(s[:most]) + "..."
}

// quoted is a value as it could be written in TOML, or dots.
func quoted(data any) string {
	switch data := data.(type) {
	case string:
		return clipped(data)
	case int64, float64, bool:
		return fmt.Sprint(data)
	}
	return "..."
}

// unquoted suggests to write a number without its quotes, if that is what is wrong.
func unquoted(e *entry) string {
	s, _ := e.data.(string)
	if _, err := strconv.ParseFloat(s, 64); err != nil {
		return ""
	}
	return "write it without quotes: " + s
}
