package l4

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sluicelb/sluice/configs"
)

// TestMain runs the tests, or what a test has started this binary for.
func TestMain(m *testing.M) {
	if n, err := strconv.Atoi(os.Getenv("SLUICE_TEST_HOLD")); err == nil {
		hold(n)
		return
	}
	os.Exit(m.Run())
}

// hold is both ends of n sessions, in a process of their own: a node, whose address it prints, and clients of the
// address that it reads. Each session exchanges a few records, and then is silent until stdin ends.
func hold(n int) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go io.Copy(c, c)
		}
	}()
	fmt.Println(ln.Addr())
	var addr string
	fmt.Scanln(&addr)
	message := make([]byte, 100_000)
	var held []*tls.Conn
	for range n {
		tcp, err := net.Dial("tcp", addr)
		if err != nil {
			fmt.Println(err)
			return
		}
		c := tls.Client(tcp, &tls.Config{InsecureSkipVerify: true, ServerName: site})
		held = append(held, c)
		go c.Write(message)
		if _, err := io.ReadFull(c, make([]byte, len(message))); err != nil {
			fmt.Println(err)
			return
		}
	}
	fmt.Println("ready")
	io.Copy(io.Discard, os.Stdin)
	runtime.KeepAlive(held)
}

// A silent session holds its two sockets and what crypto/tls and the runtime must know of it, and no buffer,
// whatever it has sent before.
func TestIdleTLSSessionIsSmall(t *testing.T) {
	const count = 500
	ca := newAuthority(t, "test CA")
	holder := exec.CommandContext(t.Context(), os.Args[0])
	holder.Env = append(os.Environ(), fmt.Sprintf("SLUICE_TEST_HOLD=%d", count))
	stdin, _ := holder.StdinPipe()
	stdout, err := holder.StdoutPipe()
	if err == nil {
		err = holder.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Wait()
	defer stdin.Close()
	says := bufio.NewReader(stdout)
	node, _ := says.ReadString('\n')
	srv := serve(t, terminating([]*configs.Certificate{ca.issue("ecdsa", nil, site).written(t)}, strings.TrimSpace(node)))
	before := used()
	fmt.Fprintln(stdin, srv.addr("s3"))
	if line, _ := says.ReadString('\n'); line != "ready\n" {
		t.Fatalf("the clients say %q", line)
	}
	for range 500 {
		if runtime.NumGoroutine() < count/10 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if n := runtime.NumGoroutine(); n >= count/10 {
		t.Errorf("%d goroutines for %d silent sessions", n, count)
	}
	after := used()
	heap, stacks := (after[0]-before[0])/count, (int64(after[1])-int64(before[1]))/count
	t.Logf("%d bytes of heap and %d of stacks for each session", heap, stacks)
	// Two descriptors take some 8 KiB of the kernel, and the collector lets the heap double: 24 KiB in all.
	if heap > 7<<10 || stacks > 1<<10 {
		t.Errorf("got %d bytes of heap and %d of stacks for each session, want 7 KiB and next to none", heap, stacks)
	}
}

// used is what lives on the heap and in stacks.
func used() [2]uint64 {
	for range 5 {
		runtime.GC()
	}
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return [2]uint64{m.HeapAlloc, m.StackInuse}
}
