//go:build linux

package cluster

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
)

// logLines is how much of a node's log an error shows.
const logLines = 20

// A Node is one MinIO process of a [Cluster]. Its methods must not be used concurrently.
type Node struct {
	Name    string         // "node 1" to "node 4"
	S3      netip.AddrPort // where it serves the S3 API
	Console netip.AddrPort // where it serves the Console
	Log     string         // file that takes what it prints

	cluster *Cluster
	drive   string // the folder that holds what it stores
	args    []string
	env     []string
	process *Process // nil before the first start
}

// newNode describes node i, counted from 0.
func newNode(c *Cluster, i int, certs string) *Node {
	b := c.options.Block
	n := &Node{
		Name:    "node " + strconv.Itoa(i+1),
		S3:      b.S3(i),
		Console: b.Console(i),
		Log:     filepath.Join(c.Dir, fmt.Sprintf("n%d.log", i+1)),
		cluster: c,
		drive:   c.drive(i),
	}
	n.args = []string{
		"server", "--address", n.S3.String(), "--console-address", n.Console.String(),
		// Always given: without it MinIO takes the certificates of whoever runs this, from ~/.minio.
		"--certs-dir", certs,
	}
	for k := range Size {
		n.args = append(n.args, c.Scheme()+"://"+b.S3(k).String()+c.drive(k))
	}
	n.env = environment(c, n.S3)
	return n
}

// drive is the folder of node i's drive.
//
// Trap: the drives of nodes on one machine must differ in path, not just in host, and each is given as an
// endpoint of its own.
func (c *Cluster) drive(i int) string { return filepath.Join(c.Dir, fmt.Sprintf("n%d", i+1), "d1") }

// environment is all that a node gets to see. It is built from nothing: nodes compare their MINIO_*
// variables at start and a stray one of the caller's shell would change what is tested.
func environment(c *Cluster, self netip.AddrPort) []string {
	env := []string{
		"PATH=" + os.Getenv("PATH"),
		"HOME=" + c.Dir,
		"MINIO_ROOT_USER=" + c.User,
		"MINIO_ROOT_PASSWORD=" + c.Password,
		"MINIO_UPDATE=off", // no question to the outside about newer versions

		// Trap: a drive on the file system of / is refused ("drive is part of root drive, will not be
		// used") and the node never becomes ready, unless MinIO takes itself to be in CI.
		"MINIO_CI_CD=1",

		// Trap: MinIO folds every 127.x.y.z into 127.0.0.1, finds four nodes on one address and refuses
		// ("all local endpoints should not have different hostnames/ips"), or in a container waits for
		// ever for the address to become another. Taking itself to be orchestrated it believes the
		// address it is told instead. Neither variable is among those the nodes compare, so each may
		// have a value of its own.
		"KUBERNETES_SERVICE_HOST=x",
		"_MINIO_SERVER_LOCAL=" + self.String(),
	}
	// Trap: every other MINIO_* variable has to be the same on all nodes.
	if u := c.options.ServerURL; u != "" {
		env = append(env, "MINIO_SERVER_URL="+u)
	}
	if u := c.options.RedirectURL; u != "" {
		env = append(env, "MINIO_BROWSER_REDIRECT_URL="+u)
	}
	return env
}

// Start starts the node's process, for the first time or again. Use [Node.WaitReady] to know when it
// serves. A node that runs is an error.
func (n *Node) Start() error {
	if n.process != nil {
		select {
		case <-n.process.Exited():
		default:
			return fmt.Errorf("start %s: it runs, as process %d", n.Name, n.process.PID())
		}
	}
	log, err := os.OpenFile(n.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("start %s: %w", n.Name, err)
	}
	defer log.Close() // the process has its own descriptor of it

	cmd := exec.Command(n.cluster.options.Binaries.MinIO, n.args...)
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = n.env, n.cluster.Dir, log, log
	if n.process, err = n.cluster.launcher.Start(n.Name, cmd); err != nil {
		return fmt.Errorf("start %s: %w", n.Name, err)
	}
	return nil
}

// Kill ends the node as kill -9 does and waits until it is gone. Its data stay.
func (n *Node) Kill() { n.process.Kill() }

// Pause stops the node with SIGSTOP: the kernel goes on taking connections for it, nobody answers.
// The rest of the cluster waits for its drive, so this stalls requests on all nodes.
func (n *Node) Pause() error { return n.process.Signal(syscall.SIGSTOP) }

// Resume continues a paused node.
func (n *Node) Resume() error { return n.process.Signal(syscall.SIGCONT) }

// Restart kills the node, starts it and waits until it is ready.
func (n *Node) Restart(ctx context.Context) error {
	n.Kill()
	if err := n.Start(); err != nil {
		return err
	}
	return n.WaitReady(ctx)
}

// ID is what the node writes in the X-Amz-Id-2 header of every S3 response: who answered, told through
// any balancer.
func (n *Node) ID() string {
	sum := sha256.Sum256([]byte(n.S3.String()))
	return hex.EncodeToString(sum[:])
}

// ErrNodeEnded is in the error of [Node.WaitReady] where the process ended instead of becoming ready.
var ErrNodeEnded = errors.New("the process ended")

// withLog adds the end of the node's log to err.
func (n *Node) withLog(err error) error {
	return fmt.Errorf("%s: %w; the end of its log:\n%s", n.Name, err, Tail(n.Log, logLines))
}
