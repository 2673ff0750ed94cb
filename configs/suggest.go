package configs

import "strings"

// closest returns the one of have that word was most likely meant to be: the nearest by edit distance,
// if no more than a third of the word is wrong, else the one that begins most alike, if more than half
// of the word does. Case does not count.
func closest(word string, have []string) (best string, ok bool) {
	limit := max(1, len(word)/3)
	if len(word) > 64 {
		return "", false // nobody mistypes that much, and the distance is quadratic
	}
	for _, h := range have {
		if h == "" || len(h) > 64 {
			continue
		}
		if d := distance(strings.ToLower(word), strings.ToLower(h)); d <= limit {
			best, ok, limit = h, true, d-1
		}
	}
	if ok {
		return best, true
	}
	most := max(3, len(word)/2)
	for _, h := range have {
		if n := alike(strings.ToLower(word), strings.ToLower(h)); n > most {
			best, ok, most = h, true, n
		}
	}
	return best, ok
}

// alike is the length of the beginning that a and b have in common.
func alike(a, b string) (n int) {
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}

// distance is the number of bytes that must be inserted, deleted, replaced, or swapped with their
// neighbour to make b of a (optimal string alignment).
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row[0] = i + 1
		for j := range len(b) {
			changed := last[j]
			if a[i] != b[j] {
				changed++
			}
			row[j+1] = min(changed, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
