package main

import (
	"bytes"
	"fmt"
	"html"
	"maps"
	"slices"
)

// The grid of a dashboard has 24 columns.
const (
	cellWidth, cellHeight = 50, 28
	margin                = 6
)

// colors are of series, in the order of the series.
var colors = []string{"#3f9142", "#c98500", "#2f6fde", "#d9480f", "#c92a4b", "#7b3fbf", "#0b8a8f", "#b03a8e", "#6b7280"}

const (
	ink   = "#24292f"
	faint = "#6a737d"
	lines = "#e4e7eb"
)

// picture is an SVG file in the making.
type picture struct{ bytes.Buffer }

func (p *picture) add(format string, args ...any) { fmt.Fprintf(p, format+"\n", args...) }

// text writes at the foot of a line; anchor is start, middle or end.
func (p *picture) text(x, y float64, size int, color, anchor, text string) {
	p.add(`<text x="%.0f" y="%.0f" font-size="%d" fill="%s" text-anchor="%s">%s</text>`, x, y, size, color, anchor, html.EscapeString(text))
}

// box is the inside of a panel.
type box struct{ x, y, w, h float64 }

// draw returns the picture of a dashboard.
func draw(panels []answered) []byte {
	height := 0
	for _, a := range panels {
		height = max(height, (a.GridPos.Y+a.GridPos.H)*cellHeight)
	}
	var p picture
	p.add(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%[1]d" height="%[2]d" font-family="Inter,Roboto,Helvetica,Arial,sans-serif">`,
		24*cellWidth+2*margin, height+2*margin)
	p.add(`<rect width="100%%" height="100%%" fill="#f4f5f7"/>`)
	for _, a := range panels {
		drawPanel(&p, a)
	}
	p.add(`</svg>`)
	return p.Bytes()
}

// drawPanel draws a panel with its queries as a description, which the test of the picture compares.
func drawPanel(p *picture, a answered) {
	g := a.GridPos
	b := box{float64(g.X*cellWidth + margin), float64(g.Y*cellHeight + margin), float64(g.W * cellWidth), float64(g.H * cellHeight)}
	if a.Type == "row" {
		p.text(b.x+8, b.y+b.h-9, 16, ink, "start", a.Title)
		return
	}
	p.add(`<g>`)
	for _, t := range a.Targets {
		p.add(`<desc>%s</desc>`, html.EscapeString(t.Expr))
	}
	p.add(`<rect x="%.0f" y="%.0f" width="%.0f" height="%.0f" rx="3" fill="#fff" stroke="%s"/>`, b.x+3, b.y+3, b.w-6, b.h-6, lines)
	p.text(b.x+13, b.y+22, 15, ink, "start", a.Title)
	inside := box{b.x + 13, b.y + 32, b.w - 26, b.h - 42}
	switch {
	case len(a.series) == 0:
		p.text(b.x+b.w/2, b.y+b.h/2+10, 16, faint, "middle", "No data")
	case a.Type == "stat":
		value := a.series[0].last()
		p.text(b.x+b.w/2, b.y+b.h-24, 36, colors[0], "middle", shown(value, a.FieldConfig.Defaults.Unit))
	case a.Type == "table":
		drawTable(p, a, inside)
	default:
		drawLines(p, a, inside)
	}
	p.add(`</g>`)
}

// last returns the last value that is not null, as Grafana's stat panel shows it.
func (s series) last() float64 {
	for _, at := range slices.Backward(s.points) {
		if at.value == at.value {
			return at.value
		}
	}
	return 0
}

// drawTable draws a row for each series, with its labels and its value, as many as there is room for.
func drawTable(p *picture, a answered, b box) {
	const line = 24
	columns := make(map[string]bool)
	for _, s := range a.series {
		for name := range s.labels {
			columns[name] = name != "__name__"
		}
	}
	maps.DeleteFunc(columns, func(_ string, shown bool) bool { return !shown })
	names := append(slices.Sorted(maps.Keys(columns)), "Value")
	cell := func(row, column int, color, text string) {
		p.text(b.x+float64(column)*b.w/float64(len(names)), b.y+float64(row)*line+16, 14, color, "start", text)
	}
	for column, name := range names {
		cell(0, column, colors[2], name)
	}
	room := int(b.h/line) - 1
	for row, s := range a.series {
		if row == room-1 && len(a.series) > room {
			cell(row+1, 0, faint, fmt.Sprintf("and %d more", len(a.series)-row))
			break
		}
		p.add(`<path d="M%.0f %.0fh%.0f" stroke="%s"/>`, b.x, b.y+float64(row+1)*line-2, b.w, lines)
		for column, name := range names {
			text := s.labels[name]
			if name == "Value" {
				text = shown(s.last(), a.FieldConfig.Defaults.Unit)
			}
			cell(row+1, column, ink, text)
		}
	}
}
