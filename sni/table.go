package sni

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Route leads the hellos that ask for one of Names to Value.
type Route[T any] struct {
	// Names are host names, or "*." and a host name for all names below it, any number of labels
	// deep ("*.s3.example.net" takes a.s3.example.net and a.b.s3.example.net, but not
	// s3.example.net). Case and one trailing dot make no difference.
	Names []string

	// ALPN makes the route conditional: the hello must offer at least one of these protocols.
	// Empty means no condition.
	ALPN []string

	Value T
}

// Table finds the route of a hello. It never changes, so any number of goroutines may use it. The
// zero value has no routes and no default.
type Table[T any] struct {
	exact  map[string][]entry[T] // by host name
	suffix map[string][]entry[T] // by what stands behind "*."
	def    *T
}

// entry is a route under one of its names.
type entry[T any] struct {
	alpn  []string
	value T
	route int // its index, for messages
}

// Problem is why a name or a protocol of a route cannot be.
type Problem string

const (
	BadName     Problem = "bad name"     // not a host name, nor "*." and a host name
	BadProtocol Problem = "bad protocol" // not 1 to 255 bytes (RFC 7301 section 3.1)
	NoName      Problem = "no name"      // the route has none, so nothing can match
	Duplicate   Problem = "duplicate"    // the same name with the same condition once more
	Unreachable Problem = "unreachable"  // routes before it take every hello that it would
)

// RouteError is what is wrong with a route of [NewTable]. The error of NewTable holds one for each
// problem, in the order of the routes.
type RouteError struct {
	Problem Problem
	Route   int    // index of the route
	Name    int    // index in its Names, or -1
	Other   int    // index of the route that is in the way of a Duplicate or Unreachable one, or -1
	Subject string // the name or protocol as given
	Err     error  // what is wrong with a bad name or protocol, else nil
}

// Error is the problem in words. Routes are numbered from 0, as the operator's tools number them.
func (e *RouteError) Error() string {
	at := fmt.Sprintf("route[%d]", e.Route)
	switch e.Problem {
	case NoName:
		return at + ": no server name, so it matches nothing"
	case Duplicate:
		if e.Other == e.Route {
			return fmt.Sprintf("%s: server name %q is there twice", at, e.Subject)
		}
		return fmt.Sprintf("%s: server name %q is in route[%d] already", at, e.Subject, e.Other)
	case Unreachable:
		return fmt.Sprintf("%s: server name %q never matches: route[%d] takes all it could", at, e.Subject, e.Other)
	}
	return fmt.Sprintf("%s: %v", at, e.Err)
}

// Unwrap is what is wrong with a bad name or protocol.
func (e *RouteError) Unwrap() error { return e.Err }

// NewTable builds the table of routes. Where several routes have the same name, each needs a
// condition that those before it leave room for; the one without a condition may stand anywhere
// among them and is the fallback. The error joins a [RouteError] for each problem.
func NewTable[T any](routes []Route[T]) (*Table[T], error) {
	t := &Table[T]{exact: map[string][]entry[T]{}, suffix: map[string][]entry[T]{}}
	var errs []error
	for i, r := range routes {
		errs = append(errs, t.add(i, r)...)
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return t, nil
}

// add enters route i under all its names.
func (t *Table[T]) add(i int, r Route[T]) (errs []error) {
	report := func(p Problem, name, other int, subject string, err error) {
		errs = append(errs, &RouteError{Problem: p, Route: i, Name: name, Other: other, Subject: subject, Err: err})
	}
	if len(r.Names) == 0 {
		report(NoName, -1, -1, "", nil)
	}
	for _, p := range r.ALPN {
		if len(p) == 0 || len(p) > 255 {
			report(BadProtocol, -1, -1, p, fmt.Errorf("ALPN protocol %q: it must have 1 to 255 bytes", p))
		}
	}
	for n, name := range r.Names {
		host, below, err := splitName(name)
		if err != nil {
			report(BadName, n, -1, name, err)
			continue
		}
		m := t.exact
		if below {
			m = t.suffix
		}
		if other, problem := inTheWay(m[host], r.ALPN); problem != "" {
			report(problem, n, other, name, nil)
			continue
		}
		m[host] = insert(m[host], entry[T]{alpn: slices.Clone(r.ALPN), value: r.Value, route: i})
	}
	return errs
}

// inTheWay finds what keeps a further route with the condition alpn from ever matching: the problem,
// and the route that is (the last of those that are) its cause.
func inTheWay[T any](entries []entry[T], alpn []string) (other int, problem Problem) {
	uncovered := slices.Clone(alpn)
	for _, e := range entries {
		if sameSet(e.alpn, alpn) {
			return e.route, Duplicate
		}
		if len(e.alpn) == 0 || len(alpn) == 0 {
			continue // the fallback stands behind all conditions, so neither hides the other
		}
		uncovered = slices.DeleteFunc(uncovered, func(p string) bool { return slices.Contains(e.alpn, p) })
		if len(uncovered) == 0 {
			return e.route, Unreachable
		}
	}
	return 0, ""
}

// insert keeps the order of the routes, except that the fallback stays last.
func insert[T any](entries []entry[T], e entry[T]) []entry[T] {
	n := len(entries)
	if n > 0 && len(entries[n-1].alpn) == 0 {
		return slices.Insert(entries, n-1, e)
	}
	return append(entries, e)
}

// sameSet reports whether a and b have the same members.
func sameSet(a, b []string) bool { return within(a, b) && within(b, a) }

// within reports whether all of a is in b.
func within(a, b []string) bool {
	return !slices.ContainsFunc(a, func(s string) bool { return !slices.Contains(b, s) })
}

// WithDefault is the same table, but what no route takes leads to value.
func (t *Table[T]) WithDefault(value T) *Table[T] {
	c := *t
	c.def = &value
	return &c
}

// Lookup is where a hello with this [Hello.Name] and [Hello.ALPN] goes: to the route with the exact name,
// else to the one with the longest "*." suffix, else to the default. A route whose condition is
// not met is as good as absent. Routes of one name are tried in their order, the one without a
// condition last. ok is false if nothing takes the hello. An empty name goes to the default.
//
// The cost grows with the number of labels in name, not with that of routes; nothing is allocated.
func (t *Table[T]) Lookup(name string, alpn ALPN) (value T, ok bool) {
	if name == "" {
		return t.fallback()
	}
	if e := match(t.exact[name], alpn); e != nil {
		return e.value, true
	}
	if len(t.suffix) == 0 {
		return t.fallback()
	}
	for {
		_, below, dotted := strings.Cut(name, ".")
		if !dotted {
			return t.fallback()
		}
		if e := match(t.suffix[below], alpn); e != nil {
			return e.value, true
		}
		name = below
	}
}

// match is the first of entries whose condition alpn meets.
func match[T any](entries []entry[T], alpn ALPN) *entry[T] {
	for i := range entries {
		e := &entries[i]
		if len(e.alpn) == 0 || slices.ContainsFunc(e.alpn, alpn.Offers) {
			return e
		}
	}
	return nil
}

func (t *Table[T]) fallback() (value T, ok bool) {
	if t.def == nil {
		return value, false
	}
	return *t.def, true
}
