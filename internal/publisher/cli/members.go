package cli

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/publisher/admin"
)

func segmentAdd() commandline.Invocation {
	return changeMembers("add", "Adds values to the list of a segment.", "added", func(items []jsontext.Value, value jsontext.Value) []jsontext.Value {
		if holds(items, value) {
			return items
		}
		return append(items, value)
	})
}

func segmentRemove() commandline.Invocation {
	return changeMembers("remove", "Removes values from the list of a segment.", "removed", func(items []jsontext.Value, value jsontext.Value) []jsontext.Value {
		return slices.DeleteFunc(items, func(item jsontext.Value) bool { return bytes.Equal(item, value) })
	})
}

func holds(items []jsontext.Value, value jsontext.Value) bool {
	return slices.ContainsFunc(items, func(item jsontext.Value) bool { return bytes.Equal(item, value) })
}

// changeMembers returns a command that changes the one list of texts that a segment compares with.
func changeMembers(verb, synopsis, done string, change func(items []jsontext.Value, value jsontext.Value) []jsontext.Value) commandline.Invocation {
	var key string
	var values []string
	f := newForm("segment "+verb, synopsis+` The rule of the segment must have one list, such as {"in":[{"var":"email"},["ann@shop.example"]]}.`).inEnvironment()
	segmentKind().key(f, &key)
	f.set.Words(&values, "VALUE", "value, such as ann@shop.example")
	w := f.writes()
	return f.runs(func(ctx context.Context, s *session) error {
		path := segmentKind().path(f.environment, key)
		found, err := s.do(ctx, admin.Call{Path: path})
		if err != nil {
			return err
		}
		rule, err := withMembers(key, jsontext.Value(found.Body), values, change)
		if err != nil {
			return err
		}
		c := segmentKind().change(f, key, "put", http.MethodPut)
		c.Body, c.command.Document = rule, []byte(rule)
		c.done = "segment " + printable(key) + ": " + done + " " + printable(strings.Join(values, ", "))
		if w.match == "" {
			w.match = revision(found.Header)
		}
		return w.writeExisting(ctx, s, c, path)
	})
}

// withMembers returns the rule of a segment with its one list changed.
func withMembers(
	key string, rule jsontext.Value, values []string, change func(items []jsontext.Value, value jsontext.Value) []jsontext.Value,
) (jsontext.Value, error) {
	lists := 0
	changed, _, err := rewriteCalls(rule, "in", func(arguments []jsontext.Value) ([]jsontext.Value, error) {
		if len(arguments) != 2 || arguments[1].Kind() != '[' {
			return arguments, nil
		}
		lists++
		items, err := elements(arguments[1])
		for _, value := range values {
			items = change(items, quoted(value))
		}
		return []jsontext.Value{arguments[0], array(items)}, err
	})
	if err != nil {
		return nil, err
	}
	if lists != 1 {
		return nil, &failure{code: exitInvalid, text: visible(fmt.Sprintf(
			"segment %s has %d lists to change: change its rule with flagside segment edit %s", key, lists, key))}
	}
	return changed, nil
}
