package configs

import (
	"reflect"
	"slices"
)

// homes returns the tables that do have a key, as they are written in a file.
func homes(key string) (tables []string) {
	var walk func(t reflect.Type, name, header string)
	walk = func(t reflect.Type, name, header string) {
		for field, i := range fieldsOf(t) {
			if field == key && header != "" {
				tables = append(tables, header)
			}
			path := field
			if name != "" {
				path = name + "." + field
			}
			switch of := t.Field(i).Type; {
			case of.Kind() == reflect.Struct && of.PkgPath() == t.PkgPath():
				walk(of, path, "["+path+"]")
			case of.Kind() == reflect.Pointer:
				walk(of.Elem(), path, "["+path+"]")
			case of.Kind() == reflect.Slice && of.Elem().Kind() == reflect.Pointer:
				walk(of.Elem().Elem(), path, "[["+path+"]]")
			}
		}
	}
	walk(reflect.TypeFor[Config](), "", "")
	slices.Sort(tables)
	return tables
}
