package main

import (
	"math"
	"strconv"
)

// scale is a unit that a value is shown in.
type scale struct {
	size float64
	name string
}

// units are those of Grafana that the dashboard uses, the largest first.
var units = map[string][]scale{
	"short":       {{1e9, " B"}, {1e6, " M"}, {1e3, " K"}, {1, ""}},
	"ops":         {{1e6, "M/s"}, {1e3, "K/s"}, {1, "/s"}},
	"s":           {{3600, " h"}, {60, " min"}, {1, " s"}, {1e-3, " ms"}, {1e-6, " µs"}},
	"bytes":       {{1 << 30, " GiB"}, {1 << 20, " MiB"}, {1 << 10, " KiB"}, {1, " B"}},
	"percentunit": {{0.01, "%"}},
}

// shown returns a value with its unit, with three digits.
func shown(value float64, unit string) string {
	scales := units[unit]
	if scales == nil {
		scales = units["short"]
	}
	s := scales[len(scales)-1]
	if value == 0 && len(scales) > 2 && unit == "s" {
		s = scale{1, " s"}
	}
	for _, one := range scales {
		if value != 0 && math.Abs(value) >= one.size {
			s = one
			break
		}
	}
	return digits(value/s.size) + s.name
}

func digits(value float64) string {
	if math.Abs(value) >= 100 {
		return strconv.FormatFloat(math.Round(value), 'f', -1, 64)
	}
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(value, 'g', 3, 64), 64)
	if err != nil {
		return ""
	}
	return strconv.FormatFloat(rounded, 'f', -1, 64)
}

// ticks returns values from low to high at a distance that is round in the unit that they are shown in.
func ticks(low, high float64, unit string) []float64 {
	base := 1.0
	for _, one := range units[unit] {
		if (unit == "bytes" || unit == "s") && one.size >= 1 && one.size <= high {
			base = one.size
			break
		}
	}
	step := distance((high-low)/base/4) * base
	var all []float64
	for i := math.Floor(low / step); i*step < high+step; i++ {
		all = append(all, i*step)
	}
	return all
}

// distance is the round number from a value on: 1, 2 or 5 with a power of ten.
func distance(value float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(value)))
	for _, factor := range []float64{1, 2, 5} {
		if factor*power >= value*(1-1e-9) {
			return factor * power
		}
	}
	return 10 * power
}
