package cli

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/flagside/flagside/eval"
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
	f.where = f.set.String(&f.environment, "environment", "", "environment that it is about").Short("e").Of(namesEnvironment)
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
	documents, err := listed(flagKind(), all)
	if err != nil {
		return nil, err
	}
	rules, now := declared(documents...), time.Now()
	found := []json.RawMessage{} // a list also if none is wanted
	for i, item := range all {
		if wanted.has(rules.Flag(documents[i].Key), now) {
			found = append(found, item)
		}
	}
	return found, nil
}

// has reports whether a flag is wanted.
func (w selection) has(flag *eval.Flag, now time.Time) bool {
	text := strings.ToLower(flag.Key() + "\n" + flag.Description())
	switch {
	case w.tag != "" && !slices.ContainsFunc(flag.Tags(), func(tag string) bool { return strings.EqualFold(tag, w.tag) }):
	case w.owner != "" && !strings.EqualFold(flag.Owner(), w.owner):
	case w.kind != "" && flag.Kind() != w.kind:
	case w.state != "" && flag.Enabled() != (w.state == "on"):
	case w.expired && (flag.Expires().IsZero() || now.Before(flag.Expires())):
	case w.text != "" && !strings.Contains(text, strings.ToLower(w.text)):
	default:
		return true
	}
	return false
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
