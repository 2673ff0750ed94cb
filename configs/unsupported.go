package configs

import (
	"fmt"
	"reflect"
	"strings"
)

// refusal is a key of the schema that does not work yet. It is refused where it is given another
// value than its default, so that a file never promises what does not happen.
type refusal struct {
	key   string // as in listener.client_auth
	value string // if not "", only values that begin so are refused; also for the elements of a list
	why   string
}

// unsupported lists what does not work yet. Whoever makes a feature work removes its line here:
// what remains of its validation is in place and tested.
var unsupported = []refusal{
	{"pool.nodes", "srv:", "nodes are not looked up by SRV records"},
}

// refuse reports e if it is not yet supported and its value is not what it was before the file was read.
func (f *file) refuse(e *entry, before, after reflect.Value) {
	kind := e.kind()
	for _, r := range f.refused {
		if r.key != kind || equal(before, after) {
			continue
		}
		if r.value == "" && e.index < 0 || r.value != "" && strings.HasPrefix(fmt.Sprint(after), r.value) {
			f.keyErr(e, "not yet supported: "+r.why, "leave it out")
		}
	}
}

// equal takes an empty list for none.
func equal(a, b reflect.Value) bool {
	if a.Kind() == reflect.Slice && a.Len() == 0 && b.Len() == 0 {
		return true
	}
	return reflect.DeepEqual(a.Interface(), b.Interface())
}
