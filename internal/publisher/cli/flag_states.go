package cli

import (
	"context"
	"maps"
	"slices"
	"strings"
)

// flagStates is what a flag answers, by environment.
type flagStates struct {
	Key          string            `json:"key"`
	Environments map[string]string `json:"environments"`
}

// listEverywhere prints the state of flags in all environments that are in use.
func (s *session) listEverywhere(ctx context.Context, wanted selection) error {
	environments, err := s.environmentsInUse(ctx)
	if err != nil {
		return err
	}
	states := make(map[string]flagStates)
	for _, environment := range environments {
		all, err := s.selected(ctx, environment, wanted)
		if err != nil {
			return err
		}
		for _, flag := range all {
			if _, known := states[flag.Key]; !known {
				states[flag.Key] = flagStates{flag.Key, make(map[string]string)}
			}
			states[flag.Key].Environments[environment] = flag.answers()
		}
	}
	return s.printStates(environments, states)
}

// environmentsInUse returns the names of the environments that are not archived.
func (s *session) environmentsInUse(ctx context.Context) (names []string, err error) {
	found, err := s.client.Environments(ctx)
	for _, e := range found.Items {
		if e.Archived.IsZero() {
			names = append(names, e.Name)
		}
	}
	return names, err
}

// printStates prints the states of flags by environment.
func (s *session) printStates(environments []string, states map[string]flagStates) error {
	all := items[flagStates]{[]flagStates{}}
	for _, key := range slices.Sorted(maps.Keys(states)) {
		all.Items = append(all.Items, states[key])
	}
	titles := strings.Join(append([]string{"KEY"}, environments...), "|")
	return s.print(all, list(strings.ToUpper(titles), all.Items, func(f flagStates) []string {
		row := []string{cell(f.Key)}
		for _, environment := range environments {
			row = append(row, cell(f.Environments[environment]))
		}
		return row
	}))
}
