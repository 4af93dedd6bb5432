package main

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// plane is where lines are drawn: a box with the values at its edges.
type plane struct {
	box
	begin, end time.Time
	low, high  float64
}

func (p plane) left(t time.Time) float64 {
	return p.x + p.w*float64(t.Sub(p.begin))/float64(p.end.Sub(p.begin))
}
func (p plane) top(value float64) float64 { return p.y + p.h*(1-(value-p.low)/(p.high-p.low)) }

// drawLines draws a legend at the foot, the axes, and a line for each series.
func drawLines(p *picture, a answered, b box) {
	names := make([]string, len(a.series))
	for i, s := range a.series {
		names[i] = s.name
	}
	b.h -= drawLegend(p, names, b)
	unit := a.FieldConfig.Defaults.Unit
	low, high := extent(a.series)
	marks := ticks(low, high, unit)
	at := plane{box{b.x + 58, b.y + 6, b.w - 66, b.h - 28}, a.begin, a.end, marks[0], marks[len(marks)-1]}
	for _, mark := range marks {
		p.add(`<path d="M%.0f %.1fh%.0f" stroke="%s"/>`, at.x, at.top(mark), at.w, lines)
		p.text(at.x-6, at.top(mark)+4, 13, faint, "end", shown(mark, unit))
	}
	drawTimes(p, at)
	for i, s := range a.series {
		p.add(`<path d="%s" fill="none" stroke="%s" stroke-width="1.8" stroke-linejoin="round" stroke-linecap="round"/>`, path(at, s.points), colors[i%len(colors)])
	}
}

// extent returns the least and the greatest value. The least is 0 unless there are negative values.
func extent(all []series) (low, high float64) {
	for _, s := range all {
		for _, at := range s.points {
			if !math.IsNaN(at.value) {
				low, high = min(low, at.value), max(high, at.value)
			}
		}
	}
	if low == high {
		high = 1
	}
	return low, high
}

// drawTimes marks whole minutes.
func drawTimes(p *picture, at plane) {
	every := time.Minute
	for at.end.Sub(at.begin)/every > 6 {
		every += time.Minute
	}
	for t := at.begin.Truncate(every).Add(every); t.Before(at.end); t = t.Add(every) {
		p.add(`<path d="M%.1f %.0fv%.0f" stroke="%s"/>`, at.left(t), at.y, at.h, lines)
		p.text(at.left(t), at.y+at.h+17, 13, faint, "middle", t.UTC().Format("15:04"))
	}
}

// path leaves out what is not known.
func path(at plane, points []point) string {
	var out strings.Builder
	var last time.Time
	for _, one := range points {
		if math.IsNaN(one.value) {
			continue
		}
		command := "L"
		if one.at.Sub(last) > scrapeInterval+scrapeInterval/2 {
			command = "M"
		}
		fmt.Fprintf(&out, "%s%.1f %.1f", command, at.left(one.at), at.top(one.value))
		if command == "M" {
			out.WriteString("h0")
		}
		last = one.at
	}
	return out.String()
}

// drawLegend writes the names at the foot of a box, and returns the height that they take.
func drawLegend(p *picture, names []string, b box) float64 {
	const line, letter = 19, 7.2
	type item struct {
		x   float64
		row int
	}
	at, x, row := make([]item, len(names)), 0.0, 0
	for i, name := range names {
		width := 32 + letter*float64(len(name))
		if x > 0 && x+width > b.w {
			x, row = 0, row+1
		}
		at[i] = item{b.x + x, row}
		x += width
	}
	height := float64((row + 1) * line)
	for i, name := range names {
		y := b.y + b.h - height + float64((at[i].row+1)*line) - 2
		p.add(`<path d="M%.0f %.0fh14" stroke="%s" stroke-width="3"/>`, at[i].x, y-4, colors[i%len(colors)])
		p.text(at[i].x+19, y, 13, ink, "start", name)
	}
	return height
}
