package doctor

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/sluicelb/sluice/cmd/internal/units"
)

// judgeReach says for each pool how many nodes answer, and for each that does not, why.
func judgeReach(nodes []*nodeReading) (all []Finding) {
	const subject = "nodes"
	var pools []string
	fine, of, slowest := map[string]int{}, map[string]int{}, map[string]time.Duration{}
	for _, n := range nodes {
		if of[n.pool]++; of[n.pool] == 1 {
			pools = append(pools, n.pool)
		}
		if f := judgeNode(n); f != nil {
			f.Subject, f.Found = subject, fmt.Sprintf("%s of pool %s: %s", n.name, n.pool, f.Found)
			all = append(all, *f)
			continue
		}
		fine[n.pool]++
		slowest[n.pool] = max(slowest[n.pool], n.took)
	}
	for _, p := range pools {
		if fine[p] > 0 {
			all = append(all, good(subject, fmt.Sprintf("pool %s: %d of %d answer, the slowest connects in %s", p, fine[p], of[p], units.Latency(slowest[p].Seconds()))))
		}
	}
	return all
}

// judgeNode finds what is wrong with one node, nil if nothing is.
func judgeNode(n *nodeReading) *Finding {
	fails := func(found, fix string) *Finding { return new(bad("", found, fix)) }
	doubts := func(found, fix string) *Finding { return new(doubtful("", found, fix)) }
	switch {
	case n.setupErr != nil:
		return fails(units.Text(n.setupErr.Error()), "the files that [pool.tls] names; no session reaches the nodes without them")
	case n.dialErr != nil:
		return fails(explain(n.dialErr))
	case n.helloErr != nil:
		return fails(fmt.Sprintf("clients that ask for %s get no TLS: %s", n.sni, units.Text(n.helloErr.Error())),
			fmt.Sprintf("openssl s_client -connect %s -servername %s", n.name, n.sni))
	case n.asked == "":
		return nil
	case n.askErr != nil && n.tls && strings.Contains(n.askErr.Error(), "server gave HTTP response to HTTPS client"),
		n.askErr != nil && n.tls && strings.Contains(n.askErr.Error(), "first record does not look like a TLS handshake"):
		return fails(fmt.Sprintf("%s speaks no TLS", n.asked), "tls = false in [pool.check], and no enabled = true in [pool.tls]")
	case n.askErr != nil:
		found, fix := explain(n.askErr)
		return fails(fmt.Sprintf("no answer at %s: %s", n.asked, found), fix)
	case strings.Contains(n.body, "HTTP request to an HTTPS server"):
		return fails(fmt.Sprintf("%s speaks TLS, and its checks do not", n.asked), "tls = true in [pool.check]")
	case !n.minio:
		return nil
	case n.status == http.StatusOK && n.notJoined != "":
		return fails(fmt.Sprintf("it has not joined its cluster (x-minio-server-status: %s)", units.Plain(n.notJoined)), "journalctl -u minio on the node")
	case n.status == http.StatusTooManyRequests, n.status == http.StatusServiceUnavailable:
		return doubts(fmt.Sprintf("busy or starting (status %d)", n.status), "mc admin info ALIAS; it gets sessions all the same")
	case n.status != http.StatusOK:
		return fails(fmt.Sprintf("status %d for %s at %s: not the S3 port of a MinIO node", n.status, liveQuestion, n.asked), "port in [pool.check]: that of S3; or type = \"tcp\"")
	}
	return nil
}

// explain says in words of an operator why a connection failed.
func explain(err error) (found, fix string) {
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return fmt.Sprintf("its name %q is not known", dns.Name), "getent hosts " + units.Text(dns.Name)
	}
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused: nothing listens there", "systemctl start minio on the node, or its port in pool.nodes"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "no route to it", "ip route get ADDRESS; ip link"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return "no local port or address is left for it", "see local ports, and pool.source"
	}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return fmt.Sprintf("no answer within %s", askTimeout), "a firewall that drops, or a node that hangs: nft list ruleset here and there"
	}
	return units.Text(err.Error()), "sluice verify on its address says more"
}

// judgeNodeCertificates looks at those that are met on the way to checks and sessions.
func judgeNodeCertificates(nodes []*nodeReading, now time.Time) (all []Finding) {
	const subject = "certificate"
	var first *Finding // of those that are fine, the one that ends first
	var ends time.Time
	for _, n := range nodes {
		if n.leaf == nil {
			continue
		}
		what := fmt.Sprintf("that of node %s (pool %s)", n.name, n.pool)
		f := judgeDates(subject, what, n.leaf, now, "renew it on the node")
		if f.State == OK && n.verifyErr != nil {
			fix := "[pool.tls]: ca = \"/path/of/ca.pem\" if your own CA signed it, server_name = \"...\" if it is for another name"
			if n.sni != "" {
				fix = "a certificate on the node that names " + n.sni
			}
			f = bad(subject, fmt.Sprintf("%s is refused: %s", what, units.Text(n.verifyErr.Error())), fix)
		}
		if f.State != OK {
			all = append(all, f)
		} else if first == nil || n.leaf.NotAfter.Before(ends) {
			first, ends = &f, n.leaf.NotAfter
		}
	}
	if all == nil && first != nil {
		first.Found = "of the nodes' the first to end: " + first.Found
		all = append(all, *first)
	}
	return all
}

// Clocks that differ by tooFar are refused by S3 (RequestTimeTooSkewed); those that differ by more than anyNTP are
// not kept right.
const (
	tooFar = 15 * time.Minute
	anyNTP = 3 * time.Second
)

func judgeNodeClocks(nodes []*nodeReading) (all []Finding) {
	const subject = "clock"
	for _, n := range nodes {
		ahead := n.skew.Abs().Round(time.Second)
		word := "ahead of"
		if n.skew < 0 {
			word = "behind"
		}
		f := doubtful(subject, fmt.Sprintf("that of %s (pool %s) is %s %s this machine's", n.name, n.pool, ahead, word), "timedatectl on both; timedatectl set-ntp true")
		if n.skew.Abs() >= tooFar {
			f.State = Fail
		}
		if n.skew.Abs() > anyNTP {
			all = append(all, f)
		}
	}
	return all
}

// judgeVersions compares what the nodes say of themselves.
func judgeVersions(nodes []*nodeReading) []Finding {
	const subject = "versions"
	versions, servers := map[string][]string{}, map[string][]string{}
	asked, strangers := map[string]bool{}, 0
	for _, n := range nodes {
		if !n.minio || n.status != http.StatusOK || asked[n.asked] {
			continue
		}
		asked[n.asked] = true
		if name := strings.ToLower(n.server); !strings.Contains(name, "minio") && !strings.Contains(name, "aistor") {
			strangers++
		}
		servers[n.server] = append(servers[n.server], n.name)
		if n.version != "" {
			versions[n.version] = append(versions[n.version], n.name)
		}
	}
	const fix = "mc admin update ALIAS, or the same package on every node"
	switch {
	case len(asked) == 0:
		return nil
	case strangers > 0:
		return []Finding{doubtful(subject, "not all are MinIO by their header Server, or something stands between: "+listed(servers), "name the nodes themselves in pool.nodes")}
	case len(versions) > 1:
		return []Finding{doubtful(subject, "they differ: "+listed(versions), fix)}
	case len(servers) > 1:
		return []Finding{doubtful(subject, "the nodes' Server headers differ: "+listed(servers), fix)}
	case len(versions) == 1:
		return []Finding{good(subject, listed(versions))}
	}
	return []Finding{good(subject, "not told to strangers, mc admin info ALIAS shows them; the header Server is the same on all: "+listed(servers))}
}

// listed names each value and who has it.
func listed(by map[string][]string) string {
	var all []string
	for _, value := range slices.Sorted(maps.Keys(by)) {
		who := by[value]
		text := strings.Join(who, ", ")
		if len(who) > 4 {
			text = units.Counted(len(who), "node")
		}
		all = append(all, fmt.Sprintf("%s (%s)", units.OrDash(units.Plain(value)), text))
	}
	return strings.Join(all, ", ")
}
