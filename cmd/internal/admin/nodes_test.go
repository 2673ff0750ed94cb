package admin

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluicelb/sluice/configs"
	"github.com/sluicelb/sluice/pool"
)

func TestHasPart(t *testing.T) {
	for _, tt := range []struct {
		name, part string
		want       bool
	}{
		{"10.0.0.1:9000", "10.0.0.1", true}, {"10.0.0.10:9000", "10.0.0.1", false}, {"110.0.0.1:9000", "10.0.0.1", false},
		{"10.0.0.1:9000", "9000", true}, {"10.0.0.1:9000", "1:9000", true}, {"10.0.0.1:9000", "900", false},
		{"minio1.example.net:9000", "minio1", true}, {"minio12.example.net:9000", "minio1", false},
		{"minio1.example.net:9000@10.0.0.1", "10.0.0.1", true}, {"[2001:db8::1]:9000", "2001:db8::1", true},
		{"a.aa:1", "aa", true}, {"aaa:1", "aa", false}, {"a:1", "", false}, {"a:1", "a:1", true}, {"a:1", "a:1x", false},
	} {
		if got := hasPart(tt.name, tt.part); got != tt.want {
			t.Errorf("%q in %q: got %t, want %t", tt.part, tt.name, got, tt.want)
		}
	}
}

func TestFindNode(t *testing.T) {
	f := newFixture(t, []string{"10.0.0.1:9000", "10.0.0.10:9000", "10.0.0.2:9000", "10.0.0.2:9001"}, nil)
	for _, tt := range []struct{ pool, node, want, wrong string }{
		{"s3", "10.0.0.1:9000", "10.0.0.1:9000", ""},
		{"s3", "10.0.0.1", "10.0.0.1:9000", ""},
		{"s3", "0.10", "10.0.0.10:9000", ""},
		{"s3", "9001", "10.0.0.2:9001", ""},
		{"s3", "10.0.0.2", "", `2 nodes that "10.0.0.2" may mean`},
		{"s3", "9000", "", `3 nodes that "9000" may mean`},
		{"s3", "10.0.0.3", "", `no node "10.0.0.3" in pool "s3"`},
		{"s4", "10.0.0.1", "", `no pool "s4"`},
	} {
		n, e := f.findNode(tt.pool, tt.node, false)
		switch {
		case tt.want != "" && (e != nil || n.Name() != tt.want):
			t.Errorf("%q: got %v, %+v, want %s", tt.node, n, e, tt.want)
		case tt.wrong != "" && (e == nil || !strings.Contains(e.Error, tt.wrong) || len(e.Have) == 0):
			t.Errorf("%q: got %v, %+v, want %q and what there is", tt.node, n, e, tt.wrong)
		}
	}
}

// minio is a node that answers the health questions of MinIO.
type minio struct {
	maintenance atomic.Int32 // status of the answer; 0: none comes
	asked       atomic.Int32
}

func (m *minio) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/minio/health/live":
	case "/minio/health/cluster":
		if r.URL.RawQuery != "maintenance=true" || r.Method != "GET" {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		m.asked.Add(1)
		w.Header().Set("X-Minio-Write-Quorum", "3")
		status := int(m.maintenance.Load())
		if status == 0 {
			<-r.Context().Done()
			return
		}
		w.WriteHeader(status)
	default:
		w.WriteHeader(http.StatusTeapot)
	}
}

// startMinIO makes a fixture with two such nodes in a pool that is checked as minio, and a third that is
// dead.
func startMinIO(t *testing.T) (f *fixture, m *minio, first, dead string) {
	t.Helper()
	m = &minio{}
	m.maintenance.Store(200)
	var nodes []string
	for range 2 {
		srv := httptest.NewServer(m)
		t.Cleanup(srv.Close)
		nodes = append(nodes, strings.TrimPrefix(srv.URL, "http://"))
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	nodes = append(nodes, ln.Addr().String())
	f = newFixture(t, nodes, func(cfg *configs.Config) {
		cfg.Pools[0].Check = configs.DefaultPool().Check
		cfg.Pools[0].Check.Interval = 20 * time.Millisecond
	})
	until(t, "the dead node is down", func() bool {
		return f.proc.Pools.Pools()[0].Nodes()[2].Health() == pool.Down && f.proc.Pools.Pools()[0].Nodes()[0].Health() == pool.Up
	})
	return f, m, nodes[0], nodes[2]
}

func TestDrainAsksTheNode(t *testing.T) {
	f, m, node, _ := startMinIO(t)
	path := "/api/v1/pools/s3/nodes/" + node + "/"
	admin := func() string { return f.proc.Pools.Pools()[0].Nodes()[0].Admin().String() }
	for _, tt := range []struct {
		maintenance, want int
		text, admin       string
	}{
		{412, 412, "without it the cluster loses write quorum (write quorum 3)", "ready"},
		{503, 409, "no write quorum as it is", "ready"},
		{404, 200, "status 404, which is no answer of MinIO", "drain"},
		{200, 200, "the cluster keeps write quorum without it", "drain"},
	} {
		m.maintenance.Store(int32(tt.maintenance))
		f.do("POST", path+"ready")
		status, body := f.do("POST", path+"drain")
		if status != tt.want || !strings.Contains(body, tt.text) || admin() != tt.admin {
			t.Errorf("the node says %d: got %d %s, node %s, want %d, %q, %s", tt.maintenance, status, body, admin(), tt.want, tt.text, tt.admin)
		}
		f.do("POST", path+"ready")
		if status, body := f.do("POST", path+"drain?force=true"); status != 200 || admin() != "drain" {
			t.Errorf("the node says %d, forced: got %d %s, node %s", tt.maintenance, status, body, admin())
		}
	}
	// A node that drains already is not asked again, and maint and ready ask nobody.
	before := m.asked.Load()
	m.maintenance.Store(412)
	for _, word := range []string{"drain", "maint", "drain", "ready", "maint", "ready"} {
		if status, body := f.do("POST", path+word); status != 200 {
			t.Errorf("%s: got %d %s", word, status, body)
		}
	}
	if asked := m.asked.Load() - before; asked != 0 {
		t.Errorf("the node was asked %d times", asked)
	}
}

func TestDrainOfNodesThatDoNotAnswer(t *testing.T) {
	f, m, node, dead := startMinIO(t)
	// Down already: nothing is taken away.
	status, body := f.do("POST", "/api/v1/pools/s3/nodes/"+dead+"/drain")
	if status != 200 || !strings.Contains(body, "the node is down and was not asked: connect: connection refused") {
		t.Errorf("a dead node: got %d %s, want it drained, with a notice", status, body)
	}
	// Up, but silent: nobody can tell. The question has a bound.
	m.maintenance.Store(0)
	ctx, stop := timeout(t, 200*time.Millisecond)
	defer stop()
	n, _ := f.findNode("s3", node, false)
	a := f.mayLeave(ctx, n)
	if a.Safe || a.Status != 0 || !strings.Contains(a.Text, "no answer in time") {
		t.Errorf("a silent node: got %+v", a)
	}
	if status, e := refusal(n, a); status != http.StatusConflict || !strings.Contains(e.Error, "cannot say whether its cluster can do without it") {
		t.Errorf("a silent node: got %d, %+v, want a refusal", status, e)
	}
	// Drained before: said when the next is.
	m.maintenance.Store(200)
	if _, body := f.do("POST", "/api/v1/pools/s3/nodes/"+node+"/drain"); !strings.Contains(body, dead+" was told to leave before") {
		t.Errorf("the second node: got %s, want a notice about the first", body)
	}
}

func TestReadyz(t *testing.T) {
	f := newFixture(t, []string{"127.0.0.1:1", "127.0.0.1:2"}, nil)
	ready := func(want int, why string) {
		t.Helper()
		status, body := f.do("GET", "/readyz")
		if r := decoded[Readiness](t, body); status != want || r.Ready != (want == 200) || !strings.Contains(fmt.Sprint(r.Reasons), why) {
			t.Errorf("got %d %s, want %d, %q", status, body, want, why)
		}
	}
	ready(200, "")
	f.do("POST", "/api/v1/pools/s3/nodes/1/maint")
	f.do("POST", "/api/v1/pools/s3/nodes/127.0.0.1:1/maint")
	ready(200, "")
	f.do("POST", "/api/v1/pools/s3/nodes/127.0.0.1:2/drain")
	ready(503, "pool s3: no node is available (of 2)")
	f.do("POST", "/api/v1/pools/s3/nodes/127.0.0.1:2/ready")
	ready(200, "")
	if status, body := f.do("POST", "/api/v1/drain?grace=3s"); status != 202 || !strings.Contains(body, `"grace":3`) {
		t.Errorf("got %d %s", status, body)
	}
	if grace := <-f.grace; grace != 3*time.Second {
		t.Errorf("got %v of grace, want 3s", grace)
	}
	ready(503, "draining")
	if _, body := f.do("POST", "/api/v1/drain"); !strings.Contains(body, `"already":true`) {
		t.Errorf("a second drain: got %s", body)
	}
}
