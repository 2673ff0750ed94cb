package doctor

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/sluicelb/sluice/cmd/internal/units"
	"github.com/sluicelb/sluice/configs"
)

// judgeRedirects looks at where the nodes send browsers that come to the S3 port. That is
// MINIO_BROWSER_REDIRECT_URL; without it a node guesses the host that it was asked by and its own Console port.
// MINIO_SERVER_URL shows in share links only, which need a login.
func judgeRedirects(nodes []*nodeReading, cfg *configs.Config) (all []Finding) {
	const subject = "console url"
	by := map[string][]string{}
	asked := map[string]bool{}
	for _, n := range nodes {
		if !n.minio || n.redirect == 0 || asked[n.asked] {
			continue
		}
		asked[n.asked] = true
		to := n.destination
		if n.redirect/100 != 3 {
			to = ""
		}
		by[to] = append(by[to], n.name)
	}
	switch {
	case len(by) == 0:
		return nil
	case len(by) > 1:
		return []Finding{doubtful(subject, "the nodes send browsers to different places: "+listed(by), "the same MINIO_BROWSER_REDIRECT_URL=https://CONSOLE on every node")}
	}
	for to := range by {
		all = append(all, judgeRedirect(to, nodes, cfg))
	}
	return all
}

// judgeRedirect judges the one place that all nodes send browsers to.
func judgeRedirect(to string, nodes []*nodeReading, cfg *configs.Config) Finding {
	const subject = "console url"
	const set = "MINIO_BROWSER_REDIRECT_URL=https://CONSOLE in the environment of every node (/etc/default/minio)"
	if to == "" {
		return good(subject, "browsers are not sent on: the Console is off (MINIO_BROWSER=off)")
	}
	u, err := url.Parse(to)
	if err != nil || u.Host == "" {
		return bad(subject, fmt.Sprintf("browsers are sent to %s, which is no URL", units.Plain(to)), set)
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	offered := slices.ContainsFunc(cfg.Listeners, func(ln *configs.Listener) bool {
		return slices.ContainsFunc(ln.Address, func(a string) bool { return strconv.Itoa(portOf(a)) == port })
	})
	ends := slices.ContainsFunc(cfg.Listeners, func(ln *configs.Listener) bool { return ln.TLS == configs.Terminate })
	isNode := slices.ContainsFunc(nodes, func(n *nodeReading) bool {
		host, _, _ := cutPort(n.name)
		return strings.EqualFold(host, u.Hostname())
	})
	switch {
	case u.Hostname() == askedHost && !offered:
		return doubtful(subject, fmt.Sprintf("MINIO_BROWSER_REDIRECT_URL is not set: browsers are sent to port %s of the name they asked, where no listener is", port), set)
	case u.Hostname() == askedHost && ends && u.Scheme == "http":
		return doubtful(subject, "MINIO_BROWSER_REDIRECT_URL is not set: TLS ends at Sluice, and browsers are sent to plain http", set)
	case u.Hostname() == askedHost:
		return good(subject, fmt.Sprintf("MINIO_BROWSER_REDIRECT_URL is not set; the guess, port %s of the name that is asked, has a listener", port))
	case isNode:
		return doubtful(subject, fmt.Sprintf("MINIO_BROWSER_REDIRECT_URL is %s: browsers go to one node, past Sluice", units.Plain(to)), set)
	}
	return good(subject, fmt.Sprintf("MINIO_BROWSER_REDIRECT_URL is %s on every node", units.Plain(to)))
}
