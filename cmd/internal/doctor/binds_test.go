package doctor

import (
	"errors"
	"net"
	"os"
	"runtime"
	"syscall"
	"testing"
	"testing/fstest"

	"github.com/sluicelb/sluice/configs"
)

func TestJudgeBinds(t *testing.T) {
	at := func(err error, owners ...process) []bindReading {
		return []bindReading{{listenAddress{`listener "s3"`, "192.0.2.9:443", "sluice.toml:3:1"}, err, owners}}
	}
	wants(t, judgeBinds(nil, 0))
	wants(t, judgeBinds(at(nil), 0), "ok listening: free: 192.0.2.9:443")
	wants(t, judgeBinds(at(syscall.EADDRINUSE, process{33, "nginx"}, process{34, "nginx"}), 0),
		`fail listening: 192.0.2.9:443 (listener "s3") is in use by nginx (pid 33), nginx (pid 34) -> ...sluice.toml:3:1`)
	wants(t, judgeBinds(at(syscall.EADDRINUSE, process{12, "sluice"}), 12), "ok listening: 192.0.2.9:443: this configuration's own Sluice is there, pid 12")
	wants(t, judgeBinds(at(syscall.EADDRINUSE, process{13, "sluice"}), 12), "fail listening:...in use by sluice (pid 13)")
	wants(t, judgeBinds(at(syscall.EADDRINUSE, process{13, "a\x1b[2J"}), 0), `in use by a\x1b[2J (pid 13)`)
	wants(t, judgeBinds(at(syscall.EADDRINUSE), 0), "warn listening:...only root may see...-> sudo ss -ltnp 'sport = :443'")
	wants(t, judgeBinds(at(syscall.EADDRNOTAVAIL), 0), "fail listening:...no interface...-> ip address add 192.0.2.9 dev INTERFACE")
	wants(t, judgeBinds(at(syscall.EACCES), 0), "warn listening:...-> AmbientCapabilities=CAP_NET_BIND_SERVICE")
	wants(t, judgeBinds(at(errors.New("something else")), 0), "fail listening:...something else")
}

// TestReadBinds meets a real listener, and must find this very process.
func TestReadBinds(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	cfg := configs.Default()
	cfg.Admin.Listen = ""
	cfg.Listeners = []*configs.Listener{{Name: "s3", Address: []string{ln.Addr().String(), "127.0.0.1:0"}}}
	all := readBinds(os.DirFS("/"), cfg)
	if len(all) != 1 || !errors.Is(all[0].err, syscall.EADDRINUSE) {
		t.Fatalf("got %+v, want one address that is in use", all)
	}
	if runtime.GOOS == "linux" && (len(all[0].owners) != 1 || all[0].owners[0].pid != os.Getpid()) {
		t.Errorf("got owners %+v, want this process, %d", all[0].owners, os.Getpid())
	}
	ln.Close()
	if all := readBinds(os.DirFS("/"), cfg); all[0].err != nil {
		t.Errorf("after it was closed: got %v", all[0].err)
	}
}

func TestOwners(t *testing.T) {
	root := fstest.MapFS{
		"proc/33/comm": {Data: []byte("nginx\n")},
		"proc/33/fd/3": {Data: []byte("socket:[777]"), Mode: os.ModeSymlink},
		"proc/34/comm": {Data: []byte("other\n")},
		"proc/34/fd/3": {Data: []byte("socket:[778]"), Mode: os.ModeSymlink},
	}
	const head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
	four := readListening(head +
		"   0: 0100007F:2328 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 777 1 0000000000000000 100 0 0 10 0\n" +
		"   1: 0100007F:2329 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 778 1 0000000000000000 100 0 0 10 0\n" +
		"   2: nonsense\n")
	six := readListening("   0: 00000000000000000000000000000000:2328 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 777 1\n" +
		"   1: B80D0120000000000000000001000000:2328 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 779 1\n")
	if len(four) != 1 || four[0].addr.String() != "127.0.0.1:9000" || len(six) != 2 || six[1].addr.String() != "[2001:db8::1]:9000" {
		t.Fatalf("got %v and %v", four, six)
	}
	tests := []struct {
		table   []listening
		address string
		want    int
	}{
		{four, "127.0.0.1:9000", 33}, {four, ":9000", 33}, {four, "0.0.0.0:9000", 33}, {six[:1], "127.0.0.1:9000", 33},
		{four, "127.0.0.2:9000", 0}, {four, "127.0.0.1:9001", 0}, {six[1:], "[2001:db8::1]:9000", 0},
	}
	for _, tt := range tests {
		got := owners(root, tt.table, tt.address)
		if tt.want == 0 && len(got) == 0 || len(got) == 1 && got[0] == (process{tt.want, "nginx"}) {
			continue
		}
		t.Errorf("%s: got %v, want pid %d", tt.address, got, tt.want)
	}
}
