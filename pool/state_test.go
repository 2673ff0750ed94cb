package pool

import (
	"fmt"
	"testing"
)

// TestAvailable walks every combination of facts, not only those of the table in the comment.
func TestAvailable(t *testing.T) {
	for h := Unknown; h <= Down; h++ {
		for a := Ready; a <= Maint; a++ {
			for bits := range 8 {
				busy, ejected, unresolved := bits&1 != 0, bits&2 != 0, bits&4 != 0
				s := state(0).withHealth(h).withAdmin(a).
					with(busyBit, busy).with(ejectedBit, ejected).with(unresolvedBit, unresolved)
				want := (h == Unknown || h == Up) && a == Ready && !ejected && !unresolved
				if got := s.available(); got != want {
					t.Errorf("%v %v busy=%v ejected=%v unresolved=%v: available = %v, want %v",
						h, a, busy, ejected, unresolved, got, want)
				}
				if s.health() != h || s.admin() != a || s.busy() != busy || s.ejected() != ejected || s.unresolved() != unresolved {
					t.Errorf("%v %v %03b: facts don't survive packing: %b", h, a, bits, s)
				}
			}
		}
	}
}

// TestTier is the table in tier's comment, once for each answer to "is any node available?" and "is
// the share of available ones under fail_open?".
func TestTier(t *testing.T) {
	const (
		normal = iota // the share is fine
		open          // some are available, but too few
		none          // none is
	)
	up := state(0).withHealth(Up)
	down := state(0).withHealth(Down)
	tests := []struct {
		name       string
		state      state
		backup     bool
		weightless bool
		want       [3]tier // normal, open, none
	}{
		{"up", up, false, false, [3]tier{tierFit, tierFit, tierFit}},
		{"unknown", state(0), false, false, [3]tier{tierFit, tierFit, tierFit}},
		{"busy", up.with(busyBit, true), false, false, [3]tier{tierBusy, tierBusy, tierBusy}},
		{"backup", up, true, false, [3]tier{tierBackup, tierBackup, tierBackup}},
		{"busy backup", up.with(busyBit, true), true, false, [3]tier{tierBackupBusy, tierBackupBusy, tierBackupBusy}},
		{"weight 0", up, false, true, [3]tier{tierWeightless, tierWeightless, tierWeightless}},
		{"weight 0 backup", up, true, true, [3]tier{tierWeightless, tierWeightless, tierWeightless}},
		{"down", down, false, false, [3]tier{noTier, tierFit, tierDown}},
		{"down backup", down, true, false, [3]tier{noTier, tierBackup, tierBackupDown}},
		{"ejected", up.with(ejectedBit, true), false, false, [3]tier{noTier, tierFit, tierDown}},
		{"ejected backup", up.with(ejectedBit, true), true, false, [3]tier{noTier, tierBackup, tierBackupDown}},
		{"down, weight 0", down, false, true, [3]tier{noTier, tierWeightless, tierDown}},
		{"drain", up.withAdmin(Drain), false, false, [3]tier{noTier, noTier, tierDrain}},
		{"drain, down", down.withAdmin(Drain), false, false, [3]tier{noTier, noTier, tierDrain}},
		{"drain backup", up.withAdmin(Drain), true, false, [3]tier{noTier, noTier, tierDrain}},
		{"maint", up.withAdmin(Maint), false, false, [3]tier{noTier, noTier, noTier}},
		{"maint, down", down.withAdmin(Maint), false, false, [3]tier{noTier, noTier, noTier}},
		{"unresolved", up.with(unresolvedBit, true), false, false, [3]tier{noTier, noTier, noTier}},
	}
	for _, tt := range tests {
		for mode, want := range tt.want {
			r := rules{none: mode == none}
			r.open = [groups]bool{mode == open, mode == open}
			if got := r.tier(tt.state, tt.backup, tt.weightless); got != want {
				t.Errorf("%s, rules %d: tier = %d, want %d", tt.name, mode, got, want)
			}
		}
	}
}

func TestRules(t *testing.T) {
	type counts struct{ ready, available [groups]int }
	tests := []struct {
		name     string
		c        counts
		failOpen float64
		want     rules
	}{
		{"all fine", counts{[groups]int{4, 0}, [groups]int{4, 0}}, 0.5, rules{}},
		{"one of four, off", counts{[groups]int{4, 0}, [groups]int{1, 0}}, 0, rules{}},
		{"one of four", counts{[groups]int{4, 0}, [groups]int{1, 0}}, 0.5, rules{open: [groups]bool{true, false}}},
		{"two of four is not under a half", counts{[groups]int{4, 0}, [groups]int{2, 0}}, 0.5, rules{}},
		{"none", counts{[groups]int{4, 0}, [groups]int{}}, 0.5, rules{none: true}},
		{"none, off", counts{[groups]int{4, 2}, [groups]int{}}, 0, rules{none: true}},
		{"a backup works: dead primaries stay out", counts{[groups]int{4, 1}, [groups]int{0, 1}}, 0.9, rules{}},
		{"too few backups", counts{[groups]int{4, 4}, [groups]int{0, 1}}, 0.5, rules{open: [groups]bool{false, true}}},
		{"two drained of four don't count", counts{[groups]int{2, 0}, [groups]int{2, 0}}, 0.9, rules{}},
		{"all draining", counts{}, 0.5, rules{none: true}},
		{"all must be available", counts{[groups]int{3, 0}, [groups]int{2, 0}}, 1, rules{open: [groups]bool{true, false}}},
	}
	for _, tt := range tests {
		c := census{ready: tt.c.ready, available: tt.c.available}
		if got := c.rules(tt.failOpen); got != tt.want {
			t.Errorf("%s: rules = %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

func TestWords(t *testing.T) {
	got := fmt.Sprint(Unknown, Up, Down, Ready, Drain, Maint, Pass, Busy, Fail, Late,
		DialOK, DialRefused, DialTimeout, DialUnreachable, DialError, DialLocal, DialCanceled)
	want := "unknown up down ready drain maint pass busy fail late " +
		"ok refused timeout unreachable error local canceled"
	if got != want {
		t.Errorf("words = %q, want %q", got, want)
	}
	for a := Ready; a <= Maint; a++ {
		if back, ok := ParseAdmin(a.String()); !ok || back != a {
			t.Errorf("ParseAdmin(%q) = %v, %v", a, back, ok)
		}
	}
	if _, ok := ParseAdmin("stop"); ok {
		t.Error("ParseAdmin takes anything")
	}
}
