package fleet

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

const (
	// behindLimit is how long a sidecar that reports may serve an older revision than the newest.
	behindLimit = 30 * time.Second
	// skewLimit is how long sidecars of several versions may run: longer than an upgrade takes.
	skewLimit = time.Hour
	// named is how many sidecars are named.
	named = 5
)

// Wrong is what is wrong with a fleet; an empty text is nothing.
type Wrong struct {
	Behind, Diverged, Skew string
}

// Look has those go that are gone, and compares the fleet with what it should be. Call it once a second.
func (t *Table) Look(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	before := len(t.rows)
	t.sweep(now)
	var behind, diverged []*row
	versions := make(map[string]int)
	for _, r := range t.rows {
		versions[r.report.Identity.Program]++
		switch t.history.standing(r, now) {
		case Behind:
			if r.behind.IsZero() {
				r.behind = now
			}
			if now.Sub(r.behind) > behindLimit {
				behind = append(behind, r)
			}
		case Diverged:
			diverged = append(diverged, r)
			r.behind = time.Time{}
		default:
			r.behind = time.Time{}
		}
	}
	t.wrong = Wrong{Behind: names(behind), Diverged: names(diverged), Skew: t.skew(versions, now)}
	t.converge(now) // the table may have become complete
	if before != len(t.rows) {
		t.tell()
	}
}

// Wrong returns what was wrong at the last look.
func (t *Table) Wrong() Wrong {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.wrong
}

// skew tells the versions of the fleet once there have been several for long.
func (t *Table) skew(versions map[string]int, now time.Time) string {
	switch {
	case len(versions) < 2:
		t.skewed = time.Time{}
	case t.skewed.IsZero():
		t.skewed = now
	}
	if t.skewed.IsZero() || now.Sub(t.skewed) <= skewLimit {
		return ""
	}
	var texts []string
	for _, version := range slices.Sorted(maps.Keys(versions)) {
		texts = append(texts, fmt.Sprintf("%d of version %q", versions[version], version))
	}
	return some(texts)
}

// names names sidecars, as far as that can be read.
func names(rows []*row) string {
	slices.SortFunc(rows, func(a, b *row) int { return compare(a.report, b.report) })
	var texts []string
	for _, r := range rows {
		texts = append(texts, fmt.Sprintf("%q at %s", Name(r.report.Identity), r.report.Position.Token()))
	}
	return some(texts)
}

func some(texts []string) string {
	if more := len(texts) - named; more > 0 {
		texts = append(texts[:named:named], fmt.Sprintf("and %d more", more))
	}
	return strings.Join(texts, ", ")
}
