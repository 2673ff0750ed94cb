package top

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/sluicelb/sluice/cmd/internal/admin"
	"github.com/sluicelb/sluice/cmd/internal/units"
)

// clean is a text from outside for a terminal.
func clean(s string) string { return units.Text(s) }

func counted[T int | int64 | uint64](n T, noun string) string { return units.Counted(n, noun) }

func idText(id uint64) string { return strconv.FormatUint(id, 10) }

// perSecond writes a rate of bytes; negative is not known.
func perSecond(n float64) string {
	if n < 0 {
		return "-"
	}
	return units.Size(uint64(n)) + "/s"
}

// howOften writes a rate of sessions; negative is not known.
func howOften(n float64) string {
	switch {
	case n < 0:
		return "-"
	case n > 0 && n < 9.95:
		return fmt.Sprintf("%.1f/s", n)
	}
	return units.Count(uint64(n+.5)) + "/s"
}

// stateStyle is the colour of a node's state. Its words say the same.
func stateStyle(n *admin.Node) style {
	switch {
	case n.Admin != "ready":
		return magenta
	case n.Address == "" || n.Health == "down" || n.Ejected:
		return red
	case n.Busy:
		return yellow
	case n.Health == "up":
		return green
	}
	return plain
}

// sentence is what an event says, and the style in which that is shown.
func sentence(e *admin.Event) (string, style) {
	who := strings.TrimSpace(e.Pool + " " + e.Node + e.Listener)
	what, how := "", plain
	switch e.Kind + " " + e.New {
	case "health down":
		what, how = who+" is DOWN", red
	case "health up":
		what, how = who+" is up", green
	case "busy busy":
		what, how = who+" is busy", yellow
	case "busy no":
		what, how = who+" is not busy any more", green
	case "admin drain":
		what, how = who+" drains", magenta
	case "admin maint":
		what, how = who+" is in maint", magenta
	case "admin ready":
		what, how = who+" is ready", green
	case "eject ejected":
		what, how = who+" is EJECTED", red
	case "eject no":
		what, how = who+" is back", green
	case "reload in effect":
		what, how = "the configuration was read", green
	case "reload refused":
		what, how = "the configuration was REFUSED, nothing has changed", red
	case "drain draining":
		what, how = "this balancer is about to end", yellow
	default:
		what = strings.TrimSpace(e.Kind + " " + who)
		if e.New != "" {
			what += ": " + e.New
		}
	}
	if e.Reason != "" {
		what += " (" + e.Reason + ")"
	}
	return clean(what), how
}
