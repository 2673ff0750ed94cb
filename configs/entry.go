package configs

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// entry is one key of a file, or one element of a list: what the TOML library made of it, and where it
// stands. [locate] builds the tree and attach fills in the values.
type entry struct {
	name   string // of a key; "" for an element
	parent *entry // nil for the whole file
	index  int    // of an element in its list; -1 for a key

	key, value int // offsets into the text; of a table's header both are its last word

	fields map[string]*entry // of a table
	items  []*entry          // of a list

	data any  // as the library gives it: string int64 float64 bool time.Time map list; nil: not in the file
	bad  bool // an error was reported here or, for a list, in one of its elements
}

func newEntry(parent *entry, name string, index, at int) *entry {
	return &entry{name: name, parent: parent, index: index, key: at, value: at}
}

// child returns the entry of a key, made if it is new.
func (e *entry) child(name string, at int) *entry {
	if c := e.fields[name]; c != nil {
		return c
	}
	if e.fields == nil {
		e.fields = make(map[string]*entry)
	}
	c := newEntry(e, name, -1, at)
	e.fields[name] = c
	return c
}

// add returns a new element of a list.
func (e *entry) add(at int) *entry {
	c := newEntry(e, "", len(e.items), at)
	e.items = append(e.items, c)
	return c
}

// latest is the table that a header or dotted key through e talks about: of a list, its last.
func (e *entry) latest() *entry {
	if len(e.items) == 0 {
		return e
	}
	return e.items[len(e.items)-1]
}

// attach gives e and all below it the values that the library read. What the file does not have is
// dropped from the tree; what was not located takes the place of its parent.
func (e *entry) attach(data any) {
	e.data = data
	located := e.fields
	e.fields = nil
	switch data := data.(type) {
	case map[string]any:
		e.fields = make(map[string]*entry, len(data))
		for name, value := range data {
			c := located[name]
			if c == nil {
				c = newEntry(e, name, -1, e.key)
			}
			e.fields[name] = c
			c.attach(value)
		}
		e.items = nil
	case []map[string]any:
		attachItems(e, data)
	case []any:
		attachItems(e, data)
	default:
		e.items = nil
	}
}

func attachItems[T any](e *entry, data []T) {
	for len(e.items) < len(data) {
		e.add(e.value)
	}
	e.items = e.items[:len(data)]
	for i, value := range data {
		e.items[i].attach(value)
	}
}

// at returns the entry of a key. If the file does not have it, that is one which stands for it: it has
// the key's full name and the place of the table.
func (e *entry) at(name string) *entry {
	if c := e.fields[name]; c != nil {
		return c
	}
	return newEntry(e, name, -1, e.key)
}

// item is element i of a list, or e itself where one value was written without the brackets.
func (e *entry) item(i int) *entry {
	if i < len(e.items) {
		return e.items[i]
	}
	return e
}

// has says whether the file gives this key.
func (e *entry) has(name string) bool { return e.fields[name] != nil }

// isBad says whether an error was reported about this key, so that nothing should be concluded from it.
func (e *entry) isBad(name string) bool { return e.at(name).bad }

// sorted returns the fields in the order of the file.
func (e *entry) sorted() []*entry {
	return slices.SortedFunc(maps.Values(e.fields), func(a, b *entry) int {
		return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.name, b.name))
	})
}

// path is the full name: listener[1].route[0].pool.
func (e *entry) path() string {
	switch {
	case e.parent == nil:
		return ""
	case e.index >= 0:
		return e.parent.path() + "[" + strconv.Itoa(e.index) + "]"
	case e.parent.parent == nil:
		return bareKey(e.name)
	}
	return e.parent.path() + "." + bareKey(e.name)
}

// kind is the path without numbers, the name by which the schema knows it: listener.route.pool.
func (e *entry) kind() string {
	switch {
	case e.parent == nil:
		return ""
	case e.index >= 0:
		return e.parent.kind()
	case e.parent.parent == nil:
		return e.name
	}
	return e.parent.kind() + "." + e.name
}

// owner is the listener or pool that e belongs to, by its name: listener "s3".
func (e *entry) owner() string {
	for ; e.parent != nil; e = e.parent {
		if e.index < 0 || e.parent.parent == nil || e.parent.parent.parent != nil {
			continue
		}
		if name, _ := e.at("name").data.(string); name != "" {
			return e.parent.name + " " + strconv.Quote(name)
		}
	}
	return ""
}

// bareKey is a key as it would be written in TOML.
func bareKey(name string) string {
	bare := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_'
	}
	if name == "" || strings.TrimFunc(name, bare) != "" {
		return strconv.Quote(name)
	}
	return name
}
