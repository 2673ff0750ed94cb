//go:build e2e && linux

package e2e

import (
	"strings"
	"testing"
)

// testHealth is what an operator tries first: curl, and mc's own questions.
func testHealth(t *testing.T, s *stage) {
	s.balance(t, settings{balance: "leastconn"})

	t.Run("curl", func(t *testing.T) {
		for _, path := range []string{"live", "ready", "cluster", "cluster/read"} {
			url := s.s3URL() + "/minio/health/" + path
			got := s.curl(t, "--output", "/dev/null", "--write-out", "%{http_code} %{http_version}", url)
			if want := "200 1.1"; got != want {
				t.Errorf("curl %s: got %q, want %q", url, got, want)
			}
		}
	})
	t.Run("mc", func(t *testing.T) {
		mc := s.mcClient(t)
		tests := []struct {
			args  []string
			want  string
			times int
		}{
			{[]string{"ping", "lb", "--count", "3"}, "errors=0", 3},
			{[]string{"ready", "lb"}, "is ready", 1},
			{[]string{"ready", "lb", "--cluster-read"}, "is ready", 1},
			{[]string{"ready", "lb", "--maintenance"}, "is ready", 1},
			{[]string{"admin", "info", "lb"}, "4 drives online, 0 drives offline", 1},
		}
		for _, tt := range tests {
			got := mcRun(t, mc, tt.args...)
			if strings.Count(got, tt.want) != tt.times {
				t.Errorf("mc %q said %q, want %q in it %d times", tt.args, got, tt.want, tt.times)
			}
		}
	})
}
