//go:build linux

package main

import (
	"fmt"
	"io"
	"strings"
)

// print writes a table for each scenario: medians over the rounds, and beside them what they are to the limit.
func (r *results) print(out io.Writer) {
	for _, a := range r.scenarios {
		_, _ = fmt.Fprintf(out, "\n%s: %s\n", a.Name, a.about())
		_, _ = fmt.Fprintf(out, "  %-12s %10s %8s %6s %9s %9s %9s %7s   %s\n", "", unitOf(a), "CPU s/M", "busy", "p50 us", "p99 us", "p99.9 us", "RSS MB", "to the limit: rate, CPU, p50, p99, p99.9, RSS")
		for _, server := range r.servers {
			if v := (visited{a.Name, server}); len(r.samples[v]) > 0 {
				_, _ = fmt.Fprintln(out, r.row(v))
			}
		}
	}
	_, _ = fmt.Fprintln(out, "\nbusy: share of the time in which the server had its core. In a closed loop with less than 90 %, what drives the server was the limit: compare CPU.")
}

func unitOf(a *asked) string {
	if a.Ask == askStream {
		return "events/s"
	}
	return "requests/s"
}

func (r *results) row(v visited) string {
	m := func(f func(sample) float64) float64 { return r.median(v, f) }
	text := fmt.Sprintf("  %-12s %10.0f %8.2f %5.0f%% %9.0f %9.0f %9.0f %7.1f", v.server, m(perSecond), m(cpu), m(busy)*100, m(p50), m(p99), m(p999), m(resident))
	if v.server == nameLimit || len(r.samples[visited{v.scenario, nameLimit}]) == 0 {
		return text
	}
	var ratios []string
	for _, f := range []func(sample) float64{perSecond, cpu, p50, p99, p999, resident} {
		ratios = append(ratios, fmt.Sprintf("%.2f", r.ratio(v, f)))
	}
	return text + "   " + strings.Join(ratios, ", ")
}

// about describes a scenario.
func (a *asked) about() string {
	loop := "closed loop"
	if a.Share > 0 {
		loop = fmt.Sprintf("open loop at %.0f %% of the limit's rate", a.Share*100)
	}
	if a.Ask == askStream {
		loop = "one change after the other"
	}
	return fmt.Sprintf("%s (%d flags in all, %s, %s, %s)", a.About, a.Flags, protocolNames()[a.Protocol], a.Network, loop)
}

func protocolNames() map[string]string {
	return map[string]string{overOFREP: "OFREP", overGRPC: "gRPC", overConnect: "Connect"}
}
