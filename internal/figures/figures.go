// Package figures prints what a measurement found: percentiles for people and a
// last line for machines.
package figures

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Durations is a set of measured times, in any order.
type Durations []time.Duration

// Milliseconds returns the p-th percentile (0 to 100) by the nearest rank, in
// milliseconds; 0 for an empty set.
func (d Durations) Milliseconds(p int) float64 {
	if len(d) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(d))
	rank := (p*len(sorted) + 99) / 100
	return float64(sorted[max(rank, 1)-1]) / float64(time.Millisecond)
}

// Figure is one named result.
type Figure struct {
	Name  string
	Value float64
}

// Print writes the closing line of a measurement: "figures: name=value …".
func Print(results ...Figure) {
	parts := make([]string, len(results))
	for i, r := range results {
		parts[i] = fmt.Sprintf("%s=%.3f", r.Name, r.Value)
	}
	fmt.Println("figures:", strings.Join(parts, " "))
}
