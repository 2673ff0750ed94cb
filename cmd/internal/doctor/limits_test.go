package doctor

import (
	"net"
	"os"
	"testing"
	"testing/fstest"
	"time"

	"github.com/sluicelb/sluice/l4"
)

func TestJudgeFiles(t *testing.T) {
	tests := []struct {
		name string
		m    machine
		more string
		want []string
	}{
		{"not known", machine{}, "", nil},
		{"plenty", machine{files: 524_288}, "", []string{"ok descriptors: 524,288 (of this shell; ...enough for 261,856 sessions"}},
		{"few, nobody asked for more", machine{files: 1024, pid: 7}, "",
			[]string{"warn descriptors: 1,024 (of the running Sluice, pid 7): no more than 384 sessions...-> LimitNOFILE=20576 under [Service]"}},
		{"exactly as many", machine{files: 40_576, pid: 7}, "[limits]\nsessions = 20000", []string{"ok descriptors:...20,000 sessions"}},
		{"one too few", machine{files: 40_575, pid: 7}, "[limits]\nsessions = 20000",
			[]string{"fail descriptors: 40,575...limits.sessions = 20000 needs 40,576 -> LimitNOFILE=40576"}},
		{"of a shell", machine{files: 1024}, "[limits]\nsessions = 20000", []string{"warn descriptors:"}},
		{"above fs.nr_open", machine{files: 1024, pid: 7, sysctls: map[string]int64{"fs.nr_open": 20_000}}, "",
			[]string{"-> sysctl -w fs.nr_open=20576; then LimitNOFILE=20576"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { wants(t, judgeFiles(&tt.m, config(t, tt.more)), tt.want...) })
	}
}

func TestJudgePipes(t *testing.T) {
	enough := int64(l4.MaxPipes * l4.PipeSize / os.Getpagesize() * 4 / 3 * 2)
	tests := []struct {
		name string
		m    machine
		more string
		want []string
	}{
		{"not known", machine{}, "", nil},
		{"privileged", machine{capabilities: 1 << capSysResource, sysctls: map[string]int64{"fs.pipe-user-pages-soft": 1}}, "", []string{"ok pipes: no limit"}},
		{"another capability", machine{capabilities: 1 << 10, sysctls: map[string]int64{"fs.pipe-user-pages-soft": 1}}, "",
			[]string{"warn pipes: fs.pipe-user-pages-soft=1: 0 pipes...-> sysctl -w fs.pipe-user-pages-soft=0"}},
		{"no limit", machine{sysctls: map[string]int64{"fs.pipe-user-pages-soft": 0}}, "", []string{"ok pipes"}},
		{"enough", machine{sysctls: map[string]int64{"fs.pipe-user-pages-soft": enough}}, "", []string{"ok pipes"}},
		{"few are wanted", machine{sysctls: map[string]int64{"fs.pipe-user-pages-soft": enough / 16}}, "[limits]\npipes = 16", []string{"ok pipes...16 pipes"}},
		{"the hard limit", machine{sysctls: map[string]int64{"fs.pipe-user-pages-soft": 0, "fs.pipe-user-pages-hard": 16}}, "",
			[]string{"warn pipes: fs.pipe-user-pages-hard=16"}},
		{"small ones", machine{sysctls: map[string]int64{"fs.pipe-user-pages-soft": 0, "fs.pipe-max-size": 65_536}}, "",
			[]string{"warn pipes: fs.pipe-max-size=65536...-> sysctl -w fs.pipe-max-size=1048576"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { wants(t, judgePipes(&tt.m, config(t, tt.more)), tt.want...) })
	}
}

func TestJudgeBacklog(t *testing.T) {
	wants(t, judgeBacklog(&machine{}))
	wants(t, judgeBacklog(&machine{sysctls: map[string]int64{"net.core.somaxconn": 4096, "net.ipv4.tcp_max_syn_backlog": 2048, "net.ipv4.tcp_syncookies": 1}}),
		"ok backlog: net.core.somaxconn=4096, net.ipv4.tcp_max_syn_backlog=2048, net.ipv4.tcp_syncookies=1")
	wants(t, judgeBacklog(&machine{sysctls: map[string]int64{"net.core.somaxconn": 128, "net.ipv4.tcp_max_syn_backlog": 128, "net.ipv4.tcp_syncookies": 0}}),
		"warn backlog: net.core.somaxconn=128...-> sysctl -w net.core.somaxconn=4096",
		"warn backlog:...-> sysctl -w net.ipv4.tcp_max_syn_backlog=1024",
		"warn backlog:...-> sysctl -w net.ipv4.tcp_syncookies=1")
}

func TestJudgeConntrack(t *testing.T) {
	table := func(count, most int64) *machine {
		return &machine{sysctls: map[string]int64{"net.netfilter.nf_conntrack_count": count, "net.netfilter.nf_conntrack_max": most}}
	}
	few, many := config(t, ""), config(t, "[limits]\nsessions = 100000")
	wants(t, judgeConntrack(&machine{}, many))
	wants(t, judgeConntrack(table(10, 1000), few), "ok conntrack: 10 of 1,000 entries")
	wants(t, judgeConntrack(table(700, 1000), few), "warn conntrack:...-> sysctl -w net.netfilter.nf_conntrack_max=2000")
	wants(t, judgeConntrack(table(900, 1000), few), "fail conntrack:...dropped")
	wants(t, judgeConntrack(table(10, 65_536), many), "warn conntrack:...limits.sessions = 100000 cannot be reached...nf_conntrack_max=250000")
	wants(t, judgeConntrack(table(10, 200_000), many), "ok conntrack")
}

func TestJudgeClock(t *testing.T) {
	wants(t, judgeClock(&machine{}))
	wants(t, judgeClock(&machine{clock: &clock{true, 12_345 * time.Microsecond}}), "ok clock: synchronized, wrong by 12ms at most")
	wants(t, judgeClock(&machine{clock: &clock{}}), "warn clock:...-> timedatectl set-ntp true")
}

func TestJudgePorts(t *testing.T) {
	usual := machine{portLow: 32_768, portHigh: 60_999, files: 1 << 16}
	tests := []struct {
		name string
		m    machine
		more string
		want []string
	}{
		{"not known", machine{}, "", nil},
		{"enough", usual, "", []string{"ok local ports: 32768-60999: 28,232 sessions to each node"}},
		{"too few with one node down", usual, "[limits]\nsessions = 100000",
			[]string{`warn local ports:...pool s3 may have 33,334 on one -> sysctl -w net.ipv4.ip_local_port_range="10240 65535"`}},
		{"far too few", usual, "[limits]\nsessions = 900000",
			[]string{`fail local ports:...300,000 on one...="10240 65535"; and sessions_per_node = 49766 in pool "s3"`}},
		{"bounded by the pool", usual, "sessions_per_node = 20000\n[limits]\nsessions = 900000", []string{"ok local ports"}},
		{"a listener within", machine{portLow: 1024, portHigh: 65_535, files: 4096}, "",
			[]string{"warn local ports:...(9000,9990)...-> sysctl -w net.ipv4.ip_local_reserved_ports=9000,9990"}},
		{"one of them is reserved", machine{portLow: 1024, portHigh: 65_535, files: 4096, reserved: []portRange{{8000, 9000}}}, "",
			[]string{"(9990)...ip_local_reserved_ports=8000-9000,9990"}},
		{"reserved", machine{portLow: 9000, portHigh: 9999, files: 4096, reserved: []portRange{{9000, 9000}, {9990, 9999}}}, "[admin]\nlisten = \"\"",
			[]string{"ok local ports: 9000-9999: 989 sessions to each node"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { wants(t, judgePorts(&tt.m, config(t, tt.more)), tt.want...) })
	}
}

func TestJudgeMTU(t *testing.T) {
	m := &machine{interfaces: []net.Interface{{Name: "lo", MTU: 65_536, Flags: net.FlagLoopback}, {Name: "eth0", MTU: 1500}, {Name: "eth1", MTU: 9000}}}
	by := func(p pathReading) []*nodeReading { return []*nodeReading{{pool: "s3", name: "n1:9000", path: p}} }
	wants(t, judgeMTU(&machine{}, nil))
	wants(t, judgeMTU(m, nil), "ok mtu: eth0 1500, eth1 9000")
	wants(t, judgeMTU(m, by(pathReading{"eth1", 9000, 9000, 8948})), "ok mtu: eth0 1500, eth1 9000 (nodes)")
	wants(t, judgeMTU(m, by(pathReading{"eth1", 9000, 1500, 1448})), "warn mtu: n1:9000 of pool s3: eth1 sends packets of 9000 bytes, the path takes 1500")
	wants(t, judgeMTU(m, by(pathReading{"eth1", 9000, 9000, 1448})), "warn mtu:...the node takes segments of 1448 -> ip link set dev eth1 mtu 1500")
}

// TestReadMachine reads a tree as the kernel writes it.
func TestReadMachine(t *testing.T) {
	text := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	root := fstest.MapFS{
		"proc/self/limits":                          text("Limit  Soft Limit  Hard Limit  Units\nMax open files            1024                 1024                 files\n"),
		"proc/12/comm":                              text("sluice\n"),
		"proc/12/cmdline":                           text("bin/sluice\x00run\x00-c\x00/etc/sluice/sluice.toml\x00"),
		"proc/12/limits":                            text("Max processes   unlimited  unlimited  processes\nMax open files            1024                 524288               files\n"),
		"proc/12/status":                            text("Name:\tsluice\nCapPrm:\t0000000000000000\nCapEff:\t0000000001000400\n"),
		"proc/13/comm":                              text("other\n"),
		"proc/13/cmdline":                           text("run\x00/etc/sluice/sluice.toml\x00"),
		"proc/sys/net/core/somaxconn":               text("4096\n"),
		"proc/sys/net/ipv4/ip_local_port_range":     text("32768\t60999\n"),
		"proc/sys/net/ipv4/ip_local_reserved_ports": text("8080,9000-9003\n"),
		"proc/sys/fs/pipe-user-pages-soft":          text("16384\n"),
		"proc/sys/net/netfilter/nf_conntrack_count": text("garbage\n"),
	}
	m := readMachine(root, "/etc/sluice/sluice.toml")
	if m.pid != 12 || m.files != 524_288 || !m.capable(capSysResource) || m.capable(capSysAdmin) {
		t.Errorf("of the running Sluice: got %+v", m)
	}
	if m.portLow != 32_768 || m.portHigh != 60_999 || len(m.reserved) != 2 || m.reserved[1] != (portRange{9000, 9003}) {
		t.Errorf("ports: got %d-%d without %v", m.portLow, m.portHigh, m.reserved)
	}
	if len(m.sysctls) != 2 || m.sysctls["net.core.somaxconn"] != 4096 || m.sysctls["fs.pipe-user-pages-soft"] != 16_384 {
		t.Errorf("sysctls: got %v", m.sysctls)
	}
	if m := readMachine(root, "/etc/sluice/other.toml"); m.pid != 0 || m.files != 1024 {
		t.Errorf("another configuration: got pid %d, files %d, want none and those of this process", m.pid, m.files)
	}
}
