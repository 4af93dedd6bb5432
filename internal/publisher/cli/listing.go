package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/publisher/admin"
)

// selection says which flags are wanted; empty members want all.
type selection struct {
	tag, owner, kind, state, text string
	expired                       bool
}

func flagList() commandline.Invocation {
	var wanted selection
	var everywhere bool
	f := newForm("flag list", "Lists flags by key: those of an environment, or with --all-environments the state of each in all of them.")
	f.where = f.set.String(&f.environment, "environment", "", "environment to use").Short("e").Of(namesEnvironment)
	f.set.Bool(&everywhere, "all-environments", false, "show the state of each flag in all environments").Letter = "A"
	f.set.String(&wanted.tag, "tag", "", "only flags with this tag")
	f.set.String(&wanted.owner, "owner", "", "only flags of this owner")
	f.set.Choice(&wanted.kind, "kind", "", []string{"release", "experiment", "ops", "permission"}, "only flags of this kind")
	f.set.Choice(&wanted.state, "state", "", []string{"on", "off"}, "only flags that are on, or off")
	f.set.Bool(&wanted.expired, "expired", false, "only flags whose expires has passed")
	f.set.String(&wanted.text, "text", "", "only flags with this text in their key or description")
	f.check(func() bool { return everywhere || f.environment != "" }, "say which environment with --environment, or give --all-environments")
	return f.runs(func(ctx context.Context, s *session) error {
		if everywhere {
			return s.listEverywhere(ctx, wanted)
		}
		all, err := s.selected(ctx, f.environment, wanted)
		if err != nil {
			return err
		}
		return s.printItems(all, list(flagKind().columns...))
	})
}

// selected returns the flags of an environment that are wanted.
func (s *session) selected(ctx context.Context, environment string, wanted selection) ([]json.RawMessage, error) {
	all, err := s.all(ctx, admin.Call{Path: []string{"environments", environment, "flags"}}, "after")
	if err != nil {
		return nil, err
	}
	now := time.Now()
	return slices.DeleteFunc(all, func(item json.RawMessage) bool {
		value, err := decode(item)
		return err != nil || !wanted.has(value, now)
	}), nil
}

// has reports whether a flag, as the API lists it, is wanted.
func (w selection) has(item any, now time.Time) bool {
	tags, _ := find(item, "document.tags").([]any)
	text := strings.ToLower(word(item, "key") + "\n" + word(item, "document.description"))
	switch {
	case w.tag != "" && !slices.ContainsFunc(tags, func(tag any) bool { return strings.EqualFold(fmt.Sprint(tag), w.tag) }):
	case w.owner != "" && !strings.EqualFold(word(item, "document.owner"), w.owner):
	case w.kind != "" && word(item, "document.kind") != w.kind:
	case w.state != "" && (word(item, "document.state") != "DISABLED") != (w.state == "on"):
	case w.expired && !hasExpired(word(item, "document.expires"), now):
	case w.text != "" && !strings.Contains(text, strings.ToLower(w.text)):
	default:
		return true
	}
	return false
}

// hasExpired reports whether a date, to its end in UTC, or a time has passed; nothing never does.
func hasExpired(text string, now time.Time) bool {
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		return !now.Before(day.AddDate(0, 0, 1))
	}
	at, err := time.Parse(time.RFC3339, text)
	return err == nil && !now.Before(at)
}

// listEverywhere prints the state of flags in all environments that are in use.
func (s *session) listEverywhere(ctx context.Context, wanted selection) error {
	environments, err := s.environmentsInUse(ctx)
	if err != nil {
		return err
	}
	states := make(map[string]map[string]string) // by flag and environment
	for _, environment := range environments {
		all, err := s.selected(ctx, environment, wanted)
		if err != nil {
			return err
		}
		for _, item := range all {
			value, err := decode(item)
			if err != nil {
				return err
			}
			key := word(value, "key")
			if states[key] == nil {
				states[key] = make(map[string]string)
			}
			states[key][environment] = stateOf(value)
		}
	}
	return s.printStates(environments, states)
}

// stateOf says in a word or two what a flag answers.
func stateOf(item any) string {
	switch {
	case word(item, "document.state") == "DISABLED":
		return "off"
	case find(item, "document.targeting") != nil:
		return "by rule"
	default:
		return "on: " + word(item, "document.defaultVariant")
	}
}

// environmentsInUse returns the names of the environments that are not archived.
func (s *session) environmentsInUse(ctx context.Context) (names []string, err error) {
	found, err := s.do(ctx, admin.Call{Path: []string{"environments"}})
	if err != nil {
		return nil, err
	}
	value, err := decode(found.Body)
	if err != nil {
		return nil, err
	}
	items, _ := find(value, "items").([]any)
	for _, item := range items {
		if find(item, "archived") == nil {
			names = append(names, word(item, "name"))
		}
	}
	return names, nil
}

// printStates prints the states of flags by environment.
func (s *session) printStates(environments []string, states map[string]map[string]string) error {
	type item struct {
		Key          string            `json:"key"`
		Environments map[string]string `json:"environments"`
	}
	items := []item{}
	for _, key := range slices.Sorted(maps.Keys(states)) {
		items = append(items, item{key, states[key]})
	}
	body, err := json.Marshal(map[string]any{"items": items})
	if err != nil {
		return err
	}
	columns := []column{at("KEY", "key")}
	for _, environment := range environments {
		columns = append(columns, column{strings.ToUpper(environment), func(item any) string {
			all, _ := find(item, "environments").(map[string]any)
			return cell(all[environment])
		}})
	}
	return s.print(body, list(columns...))
}
