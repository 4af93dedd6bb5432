package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/publisher/control/ownership"
)

func segmentAdd() commandline.Invocation {
	return changeMembers("add", "Adds values to the list of a segment.", "added", func(items []jsontext.Value, value string) ([]jsontext.Value, bool) {
		if slices.ContainsFunc(items, is(value)) {
			return items, true
		}
		return append(items, quoted(value)), true
	})
}

func segmentRemove() commandline.Invocation {
	return changeMembers("remove", "Removes values from the list of a segment.", "removed", func(items []jsontext.Value, value string) ([]jsontext.Value, bool) {
		n := len(items)
		items = slices.DeleteFunc(items, is(value))
		return items, len(items) < n
	})
}

// is returns what recognises a value in a list: the text, however it is written, or a number as it is written.
func is(value string) func(item jsontext.Value) bool {
	return func(item jsontext.Value) bool {
		text, ok := unquoted(item)
		return ok && text == value || item.Kind() == '0' && string(item) == value
	}
}

// changeMembers returns a command that changes the one list that decides who is in a segment.
func changeMembers(verb, synopsis, done string, change func(items []jsontext.Value, value string) (changed []jsontext.Value, found bool)) commandline.Invocation {
	var key string
	var values []string
	f := newForm("segment "+verb, synopsis+` The rule of the segment must have one list, such as {"in":[{"var":"email"},["ann@shop.example"]]}.`).inEnvironment()
	segmentKind().key(f, &key)
	f.set.Words(&values, "VALUE", "value, such as ann@shop.example")
	w := f.writes()
	return f.runs(func(ctx context.Context, s *session) error {
		body, seen, err := s.client.Document(ctx, f.environment, segmentKind().id(key))
		if err != nil {
			return err
		}
		rule, err := withMembers(key, jsontext.Value(body), values, change)
		if err != nil {
			return err
		}
		c := segmentKind().change(f, key, "put")
		c.command.Document = []byte(rule)
		c.done = "segment " + printable(key) + ": " + done + " " + printable(strings.Join(values, ", "))
		return w.writeSeen(ctx, s, c, seen)
	})
}

// withMembers returns the rule of a segment with its one list changed.
func withMembers(
	key string, rule jsontext.Value, values []string, change func(items []jsontext.Value, value string) (changed []jsontext.Value, found bool),
) (jsontext.Value, error) {
	lists := 0
	list := func(arguments []jsontext.Value) ([]jsontext.Value, error) {
		if len(arguments) != 2 || arguments[1].Kind() != '[' {
			return arguments, nil
		}
		lists++
		items, err := elements(arguments[1])
		for _, value := range values {
			var found bool
			if items, found = change(items, value); !found {
				return nil, &failure{code: exitNotFound, text: visible(fmt.Sprintf("segment %s has no %q: nothing is changed", key, value))}
			}
		}
		return []jsontext.Value{arguments[0], array(items)}, err
	}
	owner := ownership.Owner(rule)
	changed, _, err := rewriting{operator: "in", through: alternatives, change: list}.apply(ownership.Unmarked(rule))
	if err != nil {
		return nil, err
	}
	if lists != 1 {
		return nil, &failure{code: exitInvalid, text: visible(fmt.Sprintf(
			"segment %s has %s: change its rule with flagside segment edit %s", key, countLists(lists), key))}
	}
	return ownership.Marked(changed, owner), nil
}

func countLists(n int) string {
	if n == 0 {
		return "no list to change"
	}
	return fmt.Sprintf("%d lists", n)
}
