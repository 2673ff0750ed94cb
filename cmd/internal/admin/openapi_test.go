package admin

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluicelb/sluice/configs"
	"github.com/sluicelb/sluice/l4"
)

var update = flag.Bool("update", false, "write openapi.json anew")

// object is JSON in the making.
type object = map[string]any

// A described route is what openapi.json says of one.
type described struct {
	method, path, id, summary string
	params                    []param
	answers                   []answer
}

type param struct{ name, in, typ, text string }

type answer struct {
	status int
	text   string
	shape  any // nil: not JSON
	typ    string
}

var (
	notThere   = answer{404, "there is no such thing", Error{}, ""}
	badRequest = answer{400, "the question makes no sense", Error{}, ""}
)

func nodePath(word string) string { return "/api/v1/pools/{pool}/nodes/{node}/" + word }

var nodeParams = []param{
	{"pool", "path", "string", "the pool's name"},
	{"node", "path", "string", "the node's name or address, or a part of it in whole words that fits no other node of the pool"},
}

// describedRoutes is the table from which openapi.json is made.
var describedRoutes = []described{
	{"GET", "/healthz", "healthz", "the process lives", nil, []answer{{200, "it does", nil, "text/plain"}}},
	{"GET", "/readyz", "readyz", "whether clients should be sent here: every pool has an available node, and the process is not about to end", nil,
		[]answer{{200, "they should", Readiness{}, ""}, {503, "they should not", Readiness{}, ""}}},
	{"GET", "/metrics", "metrics", "metrics for Prometheus", nil, []answer{{200, "the metrics", nil, "text/plain"}}},
	{"GET", "/", "page", "the page for people", nil, []answer{{200, "the page", nil, "text/html"}}},
	{"GET", "/page/{file}", "pageFile", "a file of the page", []param{{"file", "path", "string", "its name"}},
		[]answer{{200, "the file", nil, "text/css"}, notThere}},
	{"GET", "/api/v1/status", "status", "all there is to know but the sessions themselves", nil, []answer{{200, "the status", Status{}, ""}}},
	{"GET", "/api/v1/history", "history", "what was counted in the last 15 minutes", nil, []answer{{200, "the samples", History{}, ""}}},
	{"GET", "/api/v1/sessions", "sessions", "the sessions that live and fit all filters", []param{
		{"listener", "query", "string", "the listener's name"},
		{"route", "query", "string", "the route's label"},
		{"pool", "query", "string", "the pool's name"},
		{"node", "query", "string", "the node's name"},
		{"phase", "query", "string", "accept, header, hello, dial, relay or linger"},
		{"client", "query", "string", "an address or a network"},
		{"search", "query", "string", "a text in the client, the server name or the node; or an id"},
		{"min_age", "query", "string", "a duration, such as 90s"},
		{"min_idle", "query", "string", "a duration without a byte"},
		{"sort", "query", "string", "id, or the largest first by dur, idle, bytes, bytes_in or bytes_out"},
		{"limit", "query", "integer", "how many to show, 1 to 10000; 100 if nothing is said"},
		{"after", "query", "integer", "with sort=id: the next of the page before"},
	}, []answer{{200, "the sessions", Sessions{}, ""}, badRequest}},
	{"DELETE", "/api/v1/sessions", "killSessions", "end all sessions of a node", []param{
		{"pool", "query", "string", "the pool's name"}, {"node", "query", "string", "the node's name"},
	}, []answer{{200, "how many", Killed{}, ""}, badRequest, notThere}},
	{"DELETE", "/api/v1/sessions/{id}", "killSession", "end a session", []param{{"id", "path", "integer", "the session's id"}},
		[]answer{{200, "it was ended", Killed{}, ""}, badRequest, notThere}},
	{"GET", "/api/v1/events", "events", "follow the transitions, as server-sent events: event is the kind, data an Event", []param{
		{"last_event_id", "query", "integer", "as the header Last-Event-ID: begin behind this one; else with all that are remembered"},
	}, []answer{{200, "the stream", nil, "text/event-stream"}, badRequest, {503, "there are too many streams", Error{}, ""}}},
	{"GET", nodePath("drain"), "askDrain", "what draining a node would meet now; changes nothing", nodeParams,
		[]answer{{200, "the outlook", DrainOutlook{}, ""}, notThere}},
	{"POST", nodePath("drain"), "drainNode", "no new sessions for a node; a MinIO node is asked first whether its cluster keeps write quorum without it",
		append(slices.Clip(nodeParams), param{"force", "query", "boolean", "whatever the node says"}),
		[]answer{{200, "done", NodeChange{}, ""}, badRequest, notThere,
			{409, "the node cannot say whether its cluster keeps write quorum", Error{}, ""},
			{412, "the cluster would lose write quorum", Error{}, ""}}},
	{"POST", nodePath("ready"), "readyNode", "sessions for a node again", nodeParams, []answer{{200, "done", NodeChange{}, ""}, notThere}},
	{"POST", nodePath("maint"), "maintNode", "never a session for a node, and no checks", nodeParams, []answer{{200, "done", NodeChange{}, ""}, notThere}},
	{"POST", "/api/v1/reload", "reload", "read the configuration file again: all of it takes effect, or nothing", nil,
		[]answer{{200, "it is in effect", Reload{}, ""}, {409, "it is not; problems says why", Error{}, ""}}},
	{"POST", "/api/v1/drain", "drain", "end the process: it is not ready from now on, takes no new session after grace, and ends with its last session",
		[]param{{"grace", "query", "string", "a duration, such as 5s; 0s if nothing is said"}},
		[]answer{{202, "it has begun", DrainBegun{}, ""}, badRequest}},
	{"GET", "/api/v1/openapi.json", "openapi", "this description", nil, []answer{{200, "it", nil, "application/json"}}},
}

// enums are the words that a field may have.
var enums = map[string][]string{
	"Node.health": {"unknown", "up", "down"}, "Node.admin": {"ready", "drain", "maint"},
	"DrainOutlook.admin": {"ready", "drain", "maint"},
	"NodeChange.admin":   {"ready", "drain", "maint"}, "NodeChange.was": {"ready", "drain", "maint"},
	"Check.verdict": {"pass", "busy", "fail", "late"}, "Event.kind": Kinds(),
	"Session.phase": {"accept", "header", "hello", "dial", "relay", "linger"}, "Session.path": {"", "splice", "copy", "tls"},
}

// TestOpenAPI compares openapi.json with the types and the table above, and the table with what is served.
func TestOpenAPI(t *testing.T) {
	want := openAPIOf(t)
	if *update {
		if err := os.WriteFile("openapi.json", want, 0o644); err != nil {
			t.Fatal(err)
		}
	} else if !bytes.Equal(want, openAPIText) {
		t.Error("openapi.json is not what the types say; run: go test ./cmd/internal/admin -run TestOpenAPI -update")
	}

	f := newFixture(t, []string{"127.0.0.1:1"}, nil)
	var served, listed []string
	for _, r := range f.table() {
		served = append(served, r.method+" "+strings.TrimSuffix(r.path, "{$}"))
	}
	for _, d := range describedRoutes {
		listed = append(listed, d.method+" "+d.path)
	}
	slices.Sort(served)
	slices.Sort(listed)
	if !slices.Equal(served, listed) {
		t.Errorf("served %q, described %q", served, listed)
	}
}

// openAPIOf makes the description.
func openAPIOf(t *testing.T) []byte {
	t.Helper()
	m := &schemas{docs: docsOf(t), out: object{}}
	paths := object{}
	for _, d := range describedRoutes {
		op := object{"operationId": d.id, "summary": d.summary}
		var params []any
		for _, p := range d.params {
			params = append(params, object{
				"name": p.name, "in": p.in, "required": p.in == "path", "description": p.text, "schema": object{"type": p.typ},
			})
		}
		if params != nil {
			op["parameters"] = params
		}
		responses := object{}
		for _, a := range d.answers {
			responses[fmt.Sprint(a.status)] = m.response(a)
		}
		responses["default"] = m.response(answer{text: "anything else", shape: Error{}})
		op["responses"] = responses
		if open(d.path) {
			op["security"] = []any{}
		}
		if paths[d.path] == nil {
			paths[d.path] = object{}
		}
		paths[d.path].(object)[strings.ToLower(d.method)] = op
	}
	m.of(reflect.TypeFor[Event]()) // it is on a stream only
	doc := object{
		"openapi": "3.1.0",
		"info": object{"title": "Sluice", "version": "v1", "license": object{"name": "Apache-2.0", "identifier": "Apache-2.0"},
			"description": "The admin API of a Sluice. Names are snake_case, times RFC 3339, durations seconds, sizes bytes. What is added later are new fields and routes; what is here stays."},
		"paths":    paths,
		"security": []any{object{}, object{"token": []any{}}},
		"components": object{
			"schemas":         m.out,
			"securitySchemes": object{"token": object{"type": "http", "scheme": "bearer", "description": "admin.token, where it is set"}},
		},
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetIndent("", " ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(doc); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// schemas collects the shapes of types, with the comments of their source as descriptions.
type schemas struct {
	docs map[string]string // Type or Type.Field
	out  object
}

func (m *schemas) response(a answer) object {
	typ := a.typ
	if typ == "" {
		typ = "application/json"
	}
	content := object{}
	if a.shape != nil {
		content["schema"] = m.of(reflect.TypeOf(a.shape))
	} else if typ != "application/json" {
		content["schema"] = object{"type": "string"}
	}
	return object{"description": a.text, "content": object{typ: content}}
}

func (m *schemas) of(t reflect.Type) object {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return object{"type": "string", "format": "date-time"}
	case t.Kind() == reflect.Pointer:
		return m.of(t.Elem())
	}
	switch t.Kind() {
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.String:
		return object{"type": "string"}
	case reflect.Int, reflect.Int64, reflect.Uint64:
		return object{"type": "integer"}
	case reflect.Float64:
		return object{"type": "number"}
	case reflect.Slice:
		return object{"type": "array", "items": m.of(t.Elem())}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": m.of(t.Elem())}
	case reflect.Struct:
		m.add(t)
		return object{"$ref": "#/components/schemas/" + t.Name()}
	}
	panic("no schema for " + t.String())
}

func (m *schemas) add(t reflect.Type) {
	if m.out[t.Name()] != nil {
		return
	}
	s := object{"type": "object"}
	m.out[t.Name()] = s
	properties, required := object{}, []any{}
	for f := range t.Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		p := m.of(f.Type)
		if text := m.docs[t.Name()+"."+f.Name]; text != "" {
			p["description"] = text
		}
		if words := enums[t.Name()+"."+name]; words != nil {
			p["enum"] = words
		}
		properties[name] = p
		if options != "omitempty" {
			required = append(required, name)
		}
	}
	s["properties"], s["required"] = properties, required
	if text := m.docs[t.Name()]; text != "" {
		s["description"] = text
	}
}

// docsOf reads the comments of the types.
func docsOf(t *testing.T) map[string]string {
	t.Helper()
	docs := map[string]string{}
	for _, file := range []string{"api.go", "history.go"} {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.TYPE {
				continue
			}
			for _, spec := range g.Specs {
				typ := spec.(*ast.TypeSpec)
				docs[typ.Name.Name] = strings.Join(strings.Fields(g.Doc.Text()), " ")
				if s, ok := typ.Type.(*ast.StructType); ok {
					for _, field := range s.Fields.List {
						for _, name := range field.Names {
							docs[typ.Name.Name+"."+name.Name] = strings.TrimSpace(field.Comment.Text())
						}
					}
				}
			}
		}
	}
	return docs
}

// TestAnswersHaveTheirShape asks every route and compares what comes with openapi.json.
func TestAnswersHaveTheirShape(t *testing.T) {
	node := listen(t, echo)
	f := newFixture(t, []string{node, "127.0.0.1:1"}, func(cfg *configs.Config) {
		cfg.Pools[0].Check = configs.DefaultPool().Check
		cfg.Pools[0].Check.Type, cfg.Pools[0].Check.Interval = configs.CheckTCP, 20*time.Millisecond
	})
	f.certs = []l4.Certificate{{Listener: "tls", File: "edge.pem", Names: []string{"s3.test"}}}
	c := f.session("s3")
	defer c.Close()
	f.proc.Events.Publish(Event{Kind: KindReload, New: "in effect"})
	until(t, "a node is down", func() bool { _, body := f.do("GET", "/api/v1/status"); return strings.Contains(body, `"down"`) })
	id := decoded[Sessions](t, second(f.do("GET", "/api/v1/sessions"))).Sessions[0].ID

	doc := decoded[object](t, string(openAPIText))
	asked := map[string]bool{}
	ask := func(method, path, pattern string, want int, headers ...string) {
		t.Helper()
		asked[method+" "+pattern] = true
		resp, body := f.exchange(method, path, headers...)
		if resp.StatusCode != want {
			t.Errorf("%s %s: got %d %s, want %d", method, path, resp.StatusCode, body, want)
			return
		}
		op := doc["paths"].(object)[pattern].(object)[strings.ToLower(method)].(object)
		r, ok := op["responses"].(object)[fmt.Sprint(want)].(object)
		if !ok {
			t.Errorf("%s %s: status %d is not described", method, pattern, want)
			return
		}
		for typ, content := range r["content"].(object) {
			if got := resp.Header.Get("Content-Type"); !strings.HasPrefix(got, typ) {
				t.Errorf("%s %s: got type %q, want %q", method, path, got, typ)
			}
			if schema, ok := content.(object)["schema"].(object); ok && typ == "application/json" {
				v := validator{doc: doc}
				v.check(method+" "+path, schema, decoded[any](t, body))
				for _, problem := range v.problems {
					t.Error(problem)
				}
			}
		}
	}
	ask("GET", "/healthz", "/healthz", 200)
	ask("GET", "/readyz", "/readyz", 200)
	ask("GET", "/metrics", "/metrics", 200)
	ask("GET", "/", "/", 200)
	files, err := pageFiles.ReadDir("page")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file.Name(), ".css") {
			ask("GET", "/page/"+file.Name(), "/page/{file}", 200)
		}
	}
	ask("GET", "/page/nothing", "/page/{file}", 404)
	ask("GET", "/api/v1/status", "/api/v1/status", 200)
	until(t, "a sample", func() bool { return strings.Contains(second(f.do("GET", "/api/v1/history")), `"pools":[{`) })
	ask("GET", "/api/v1/history", "/api/v1/history", 200)
	ask("GET", "/api/v1/sessions?limit=10", "/api/v1/sessions", 200)
	ask("GET", "/api/v1/sessions?limit=x", "/api/v1/sessions", 400)
	ask("GET", "/api/v1/events?last_event_id=x", "/api/v1/events", 400)
	ask("GET", "/api/v1/openapi.json", "/api/v1/openapi.json", 200)
	ask("DELETE", fmt.Sprintf("/api/v1/sessions/%d", id), "/api/v1/sessions/{id}", 200)
	ask("DELETE", "/api/v1/sessions/999999", "/api/v1/sessions/{id}", 404)
	ask("DELETE", "/api/v1/sessions/x", "/api/v1/sessions/{id}", 400)
	ask("DELETE", "/api/v1/sessions", "/api/v1/sessions", 400)
	ask("DELETE", "/api/v1/sessions?pool=s3&node=x", "/api/v1/sessions", 404)
	ask("DELETE", "/api/v1/sessions?pool=s3&node="+node, "/api/v1/sessions", 200)
	ask("GET", "/api/v1/pools/s3/nodes/"+node+"/drain", nodePath("drain"), 200)
	ask("GET", "/api/v1/pools/s3/nodes/x/drain", nodePath("drain"), 404)
	for _, word := range []string{"drain", "maint", "ready"} {
		ask("POST", "/api/v1/pools/s3/nodes/"+node+"/"+word, nodePath(word), 200)
		ask("POST", "/api/v1/pools/s4/nodes/"+node+"/"+word, nodePath(word), 404)
	}
	ask("POST", "/api/v1/pools/s3/nodes/"+node+"/drain?force=x", nodePath("drain"), 400)
	ask("POST", "/api/v1/reload", "/api/v1/reload", 200)
	f.mu.Lock()
	f.last = NewReload(time.Now(), []configs.Problem{{What: "bad"}}, fmt.Errorf("no"))
	f.mu.Unlock()
	ask("POST", "/api/v1/reload", "/api/v1/reload", 409)
	ask("POST", "/api/v1/drain?grace=x", "/api/v1/drain", 400)
	ask("POST", "/api/v1/drain", "/api/v1/drain", 202)
	ask("GET", "/readyz", "/readyz", 503)
	for _, d := range describedRoutes {
		if !asked[d.method+" "+d.path] {
			t.Errorf("%s %s was not asked", d.method, d.path)
		}
	}
}

func second(_ int, body string) string { return body }

// validator compares JSON with a schema, as far as openapi.json uses schemas. What is there must be
// described.
type validator struct {
	doc      object
	problems []string
}

func (v *validator) check(at string, schema object, got any) {
	fail := func(format string, args ...any) {
		v.problems = append(v.problems, at+": "+fmt.Sprintf(format, args...))
	}
	if ref, ok := schema["$ref"].(string); ok {
		name := ref[strings.LastIndex(ref, "/")+1:]
		v.check(at, v.doc["components"].(object)["schemas"].(object)[name].(object), got)
		return
	}
	switch schema["type"] {
	case "object":
		o, ok := got.(object)
		if !ok {
			fail("got %v, want an object", got)
			return
		}
		properties, _ := schema["properties"].(object)
		required, _ := schema["required"].([]any)
		for _, name := range required {
			if _, ok := o[name.(string)]; !ok {
				fail("%s is missing", name)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(o)) {
			p, ok := properties[name].(object)
			if !ok {
				p, ok = schema["additionalProperties"].(object)
			}
			if !ok {
				fail("%s is not described", name)
				continue
			}
			v.check(at+"."+name, p, o[name])
		}
	case "array":
		a, ok := got.([]any)
		if !ok {
			fail("got %v, want a list", got)
			return
		}
		for i, e := range a {
			v.check(fmt.Sprintf("%s[%d]", at, i), schema["items"].(object), e)
		}
	case "string":
		s, ok := got.(string)
		if !ok {
			fail("got %v, want a string", got)
			return
		}
		if schema["format"] == "date-time" {
			if _, err := time.Parse(time.RFC3339, s); err != nil {
				fail("%v", err)
			}
		}
		if words, ok := schema["enum"].([]any); ok && !slices.Contains(words, any(s)) {
			fail("%q is none of %v", s, words)
		}
	case "integer":
		if n, ok := got.(float64); !ok || n != float64(int64(n)) {
			fail("got %v, want a whole number", got)
		}
	case "number":
		if _, ok := got.(float64); !ok {
			fail("got %v, want a number", got)
		}
	case "boolean":
		if _, ok := got.(bool); !ok {
			fail("got %v, want true or false", got)
		}
	default:
		fail("schema of type %v", schema["type"])
	}
}

// TestPatterns makes sure that every parameter of a path is described, and none that is not there.
func TestPatterns(t *testing.T) {
	for _, d := range describedRoutes {
		var in, want []string
		for _, p := range d.params {
			if p.in == "path" {
				in = append(in, p.name)
			}
		}
		for _, m := range regexp.MustCompile(`\{(\w+)\}`).FindAllStringSubmatch(d.path, -1) {
			want = append(want, m[1])
		}
		if !slices.Equal(in, want) {
			t.Errorf("%s: described %q, want %q", d.path, in, want)
		}
	}
}
