package configs

import (
	"reflect"
	"testing"
)

// schemaKeys returns every key of the schema, with the type of its value.
func schemaKeys() map[string]reflect.Type {
	keys := make(map[string]reflect.Type)
	var add func(t reflect.Type, prefix string)
	add = func(t reflect.Type, prefix string) {
		for name, i := range fieldsOf(t) {
			of := t.Field(i).Type
			keys[prefix+name] = of
			for of.Kind() == reflect.Pointer || of.Kind() == reflect.Slice {
				of = of.Elem()
			}
			if of.Kind() == reflect.Struct && of.PkgPath() == t.PkgPath() {
				add(of, prefix+name+".")
			}
		}
	}
	add(reflect.TypeFor[Config](), "")
	return keys
}

// TestSchema wants every field that a file may set to have a tag, and every kind of value to be one
// that decode knows.
func TestSchema(t *testing.T) {
	for key, of := range schemaKeys() {
		if key == "" || key[len(key)-1] == '.' {
			t.Errorf("a field of type %s has no toml tag", of)
		}
		switch of.Kind() {
		case reflect.Slice, reflect.Pointer:
			of = of.Elem()
		case reflect.Map:
			if of.Key().Kind() != reflect.String || of.Elem().Kind() != reflect.Int {
				t.Errorf("%s: decode knows no %s", key, of)
			}
			continue
		}
		switch of.Kind() {
		case reflect.String, reflect.Bool, reflect.Int, reflect.Float64, reflect.Struct, reflect.Pointer:
		case reflect.Int64, reflect.Uint32: // time.Duration, FileMode
		default:
			t.Errorf("%s: decode knows no %s", key, of)
		}
	}
}

// TestDefaults wants each default to be a value that a file could set, so that no default is refused.
func TestDefaults(t *testing.T) {
	for _, key := range []string{"listener.tls", "pool.balance", "pool.proxy", "pool.on_down", "pool.check.type", "log.format", "listener.relay"} {
		if schemaKeys()[key] == nil {
			t.Errorf("%s: no such key", key)
		}
	}
	for value, set := range map[any][]string{
		Default().Log.Format:         words[reflect.TypeFor[LogFormat]()],
		DefaultListener().TLS:        words[reflect.TypeFor[Mode]()],
		DefaultListener().Relay:      words[reflect.TypeFor[Relay]()],
		DefaultListener().MinVersion: words[reflect.TypeFor[TLSVersion]()],
		DefaultPool().Balance:        words[reflect.TypeFor[Balance]()],
		DefaultPool().Proxy:          words[reflect.TypeFor[ProxyOut]()],
		DefaultPool().OnDown:         words[reflect.TypeFor[OnDown]()],
		DefaultPool().Check.Type:     words[reflect.TypeFor[CheckType]()],
	} {
		found := false
		for _, word := range set {
			found = found || word == reflect.ValueOf(value).String()
		}
		if !found {
			t.Errorf("default %q is none of %q", value, set)
		}
	}
}
