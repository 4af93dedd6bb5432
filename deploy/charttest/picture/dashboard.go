package main

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
)

// dashboard is the part of Grafana's format that the chart uses.
type dashboard struct {
	Title  string
	Panels []panel
}

type panel struct {
	Type, Title string
	GridPos     struct{ X, Y, W, H int }
	FieldConfig struct{ Defaults struct{ Unit string } }
	Targets     []target
}

type target struct {
	Expr, LegendFormat string
	Instant            bool
}

func readDashboard(file string) (dashboard, error) {
	var d dashboard
	text, err := os.ReadFile(file)
	if err != nil {
		return d, err
	}
	if err := json.Unmarshal(text, &d); err != nil {
		return d, fmt.Errorf("%s: %w", file, err)
	}
	return d, nil
}

// query returns an expression with Grafana's variables filled in: all namespaces, and four scrapes for a rate.
func (t target) query() string {
	return strings.NewReplacer("$__rate_interval", (4 * scrapeInterval).String(), "$namespace", ".*").Replace(t.Expr)
}

var placeholder = regexp.MustCompile(`{{\s*(\w+)\s*}}`)

// legend returns the name of a series.
func (t target) legend(labels map[string]string) string {
	return placeholder.ReplaceAllStringFunc(t.LegendFormat, func(found string) string {
		return labels[placeholder.FindStringSubmatch(found)[1]]
	})
}
