//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"slices"
)

// The names of what is measured beside each other. Peers have names of their own.
const (
	nameLimit   = "limit"
	nameSidecar = "flagside"
)

// results has the samples of each server in each scenario, in the order of rounds.
type results struct {
	scenarios []*asked
	samples   map[visited][]sample
	servers   []string // their names, in the order of tables
}

type visited struct{ scenario, server string }

// visit measures one server in one scenario.
type visit struct {
	visited

	asked   *asked
	measure func(ctx context.Context, a *asked, much amount, rate float64) (sample, error)
}

// measureRounds measures everything in each round, in an order that is another one each time, so that what disturbs the machine for a while disturbs
// each server now and then, and not one of them always. Open loops come after the closed loops of the round, which say how fast they are.
func (w *world) measureRounds(ctx context.Context, progress io.Writer, scenarios []*asked, peers []peer, rounds int, much amount) (*results, error) {
	r := &results{scenarios: scenarios, samples: make(map[visited][]sample), servers: append([]string{nameLimit, nameSidecar}, namesOfPeers(peers)...)}
	var closed, open []visit
	for _, v := range w.visits(scenarios, peers) {
		if v.asked.Share > 0 {
			open = append(open, v)
		} else {
			closed = append(closed, v)
		}
	}
	for round := range rounds {
		for _, v := range slices.Concat(rotated(closed, round, rounds), rotated(open, round, rounds)) {
			found, err := v.measure(ctx, v.asked, much, r.rate(v.asked))
			if err != nil {
				return nil, fmt.Errorf("%s, %s, round %d: %w", v.scenario, v.server, round+1, err)
			}
			r.samples[v.visited] = append(r.samples[v.visited], found)
			_, _ = fmt.Fprintf(progress, "round %d of %d: %-22s %-12s %9.0f/s %7.2f s CPU/M, core busy %3.0f %%\n", round+1, rounds, v.scenario, v.server, found.perSecond, found.cpu, found.busy*100)
		}
	}
	return r, nil
}

// visits returns all that is measured in a round: in each scenario, the limit, the sidecar and the peers.
func (w *world) visits(scenarios []*asked, peers []peer) []visit {
	var all []visit
	for _, a := range scenarios {
		if a.Limit {
			all = append(all, visit{visited{a.Name, nameLimit}, a, w.visitConstant})
		}
		all = append(all, visit{visited{a.Name, nameSidecar}, a, w.visitSidecar})
		for _, p := range peers {
			if p.answers(&a.scenario) {
				all = append(all, visit{visited{a.Name, p.name}, a, p.visit})
			}
		}
	}
	return all
}

// rotated returns the visits in the order of a round: each round begins elsewhere, and every other one goes backwards.
func rotated(all []visit, round, rounds int) []visit {
	at := len(all) * round / rounds
	out := slices.Concat(all[at:], all[:at])
	if round%2 == 1 {
		slices.Reverse(out)
	}
	return out
}

// rate returns the rate of an open loop: the share of what the limit has reached so far. It is 0 for a closed loop.
func (r *results) rate(a *asked) float64 {
	return a.Share * r.median(visited{a.Of, nameLimit}, perSecond)
}

// Each of these is a figure of a sample.
func perSecond(s sample) float64 { return s.perSecond }
func cpu(s sample) float64       { return s.cpu }
func busy(s sample) float64      { return s.busy }
func p50(s sample) float64       { return s.p50 }
func p99(s sample) float64       { return s.p99 }
func p999(s sample) float64      { return s.p999 }
func resident(s sample) float64  { return s.resident }

// median returns the median of a figure over the rounds, and 0 if there are none.
func (r *results) median(of visited, figure func(sample) float64) float64 {
	var all []float64
	for _, s := range r.samples[of] {
		all = append(all, figure(s))
	}
	return median(all)
}

// ratio returns the median, over the rounds, of a server's figure divided by that of the limit in the same round. It is 0 if there is no limit.
func (r *results) ratio(of visited, figure func(sample) float64) float64 {
	limits := r.samples[visited{of.scenario, nameLimit}]
	var all []float64
	for i, s := range r.samples[of] {
		if i < len(limits) {
			all = append(all, figure(s)/figure(limits[i]))
		}
	}
	return median(all)
}

func median(all []float64) float64 {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	middle := len(all) / 2
	if len(all)%2 == 1 {
		return all[middle]
	}
	return (all[middle-1] + all[middle]) / 2
}
