package main

import (
	"encoding/xml"
	"html"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The picture in the repository is one of the dashboard as it is now: the same panels with the same queries.
func TestPictureIsUpToDate(t *testing.T) {
	board, err := readDashboard("../" + dashboardFile)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join("..", pictureFile))
	if err != nil {
		t.Fatal(err)
	}
	titles, queries := 0, 0
	for _, p := range board.Panels {
		titles++
		if !strings.Contains(string(text), ">"+html.EscapeString(p.Title)+"</text>") {
			t.Errorf("it does not have the panel %s: make dashboard draws it again", p.Title)
		}
		for _, target := range p.Targets {
			queries++
			if !strings.Contains(string(text), "<desc>"+html.EscapeString(target.Expr)+"</desc>") {
				t.Errorf("the panel %s has another query: make dashboard draws it again", p.Title)
			}
		}
	}
	if found := strings.Count(string(text), "<desc>"); found != queries || titles < 20 {
		t.Errorf("%d queries in the picture of %d panels, want %d", found, titles, queries)
	}
	if len(text) > 300_000 {
		t.Errorf("%d bytes", len(text))
	}
}

func TestDraw(t *testing.T) {
	begin := time.Date(2030, 1, 1, 12, 0, 30, 0, time.UTC)
	at := func(n int, value float64) point { return point{begin.Add(time.Duration(n) * scrapeInterval), value} }
	lines := answered{panel: panel{Type: "timeseries", Title: "Lines & more"}, begin: begin, end: begin.Add(2 * time.Minute), series: []series{
		{name: "one", points: []point{at(0, 1), at(1, 2), at(2, math.NaN()), at(9, 4)}}, {name: "two"},
	}}
	lines.GridPos.W, lines.GridPos.H = 8, 8
	stat := answered{panel: panel{Type: "stat", Title: "Oldest"}, series: []series{{points: []point{at(0, 90), at(1, math.NaN())}}}}
	stat.FieldConfig.Defaults.Unit, stat.GridPos.Y, stat.GridPos.H = "s", 8, 4
	table := answered{panel: panel{Type: "table", Title: "Conditions"}, series: []series{
		{labels: map[string]string{"__name__": "up", "job": "sidecar"}, points: []point{at(0, 1)}},
	}}
	table.GridPos.H = 6
	empty := answered{panel: panel{Type: "timeseries", Title: "Nothing"}}

	text := string(draw([]answered{lines, stat, table, empty}))
	if err := xml.Unmarshal([]byte(text), new(struct{})); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{">Lines &amp; more<", ">1.5 min<", ">12:01<", ">12:02<", ">No data<", ">job<", ">sidecar<", ">two<"} {
		if !strings.Contains(text, want) {
			t.Errorf("there is no %s in\n%s", want, text)
		}
	}
	if strings.Contains(text, "NaN") || strings.Contains(text, "Inf") || strings.Contains(text, "__name__") {
		t.Error(text)
	}
	if gaps := strings.Count(path(plane{begin: begin, end: lines.end, high: 4}, lines.series[0].points), "M"); gaps != 2 {
		t.Errorf("%d pieces of a line with a gap", gaps)
	}
}

func TestShown(t *testing.T) {
	for _, c := range []struct {
		value      float64
		unit, want string
	}{
		{0, "s", "0 s"},
		{0.0042, "s", "4.2 ms"},
		{75, "s", "1.25 min"},
		{24.26 * (1 << 20), "bytes", "24.3 MiB"},
		{0.1734, "percentunit", "17.3%"},
		{1234, "short", "1.23 K"},
		{3, "short", "3"},
		{0.5, "ops", "0.5/s"},
		{123.4, "ops", "123/s"},
		{0, "percentunit", "0%"},
		{0, "other", "0"},
	} {
		if got := shown(c.value, c.unit); got != c.want {
			t.Errorf("%v in %s is %q, want %q", c.value, c.unit, got, c.want)
		}
	}
}

func TestTicks(t *testing.T) {
	for _, c := range []struct {
		high float64
		unit string
	}{{1, "short"}, {8, "short"}, {0.17, "percentunit"}, {27 << 20, "bytes"}, {0.001, "s"}} {
		marks := ticks(0, c.high, c.unit)
		if marks[0] != 0 || marks[len(marks)-1] < c.high || len(marks) < 3 || len(marks) > 7 {
			t.Errorf("%v: %v", c, marks)
		}
	}
}

func TestLegend(t *testing.T) {
	to := target{LegendFormat: "flagd {{ kind }} {{other}}"}
	if got := to.legend(map[string]string{"kind": "sync"}); got != "flagd sync " {
		t.Errorf("%q", got)
	}
}
