//go:build e2e && linux

package e2e

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// isMinIOs says whether an error is no matter of the balancer's: a node answered, with an S3 error of its
// own making. For seconds after a node was started or killed MinIO answers some requests with 503
// SlowDownWrite and the like, in front of HAProxy and without a balancer as well.
//
// It is the balancer's matter if a node answers that has said "offline" to its checks.
func (o outcome) isMinIOs() bool {
	return o.err != nil && o.answered >= 500 && o.code != "XMinioServerNotInitialized"
}

// logMinIOs says in one line which errors are MinIO's, or nothing.
func logMinIOs(t *testing.T, outcomes []outcome, are func(outcome) bool) {
	t.Helper()
	counts := map[string]int{}
	all := 0
	for _, o := range outcomes {
		if are(o) {
			counts[fmt.Sprintf("%s %s %s", o.nodeName(), o.method, o.code)]++
			all++
		}
	}
	if all == 0 {
		return
	}
	var parts []string
	for _, what := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%s %d times", what, counts[what]))
	}
	t.Logf("MinIO's own errors, not counted as failures: %d of %d requests: %s", all, len(outcomes), strings.Join(parts, ", "))
}
