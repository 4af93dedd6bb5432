package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/publisher/admin"
)

// truths are what an option can be that is neither true nor false until it is given.
func truths() []string { return []string{"true", "false"} }

// riskChange are the members of what is risky that options change; empty ones stay.
type riskChange struct {
	protected, share, dependants string
	tags                         []string
}

func environmentRisk() commandline.Invocation {
	var file string
	var change riskChange
	f := newForm("environment risk", "Prints what is risky in an environment, and changes what options name; with --file, sets all of it.").
		named("name of the environment")
	r := f.remarks()
	f.set.Choice(&change.protected, "protected", "", truths(), "whether every change is risky")
	f.set.String(&change.share, "share", "", "part of the users, from 0 to 1, from which on a change of their answer is risky; 0 is never")
	f.set.String(&change.dependants, "dependants", "", "number of flags from which on a change of what they depend on is risky; 0 is never")
	f.set.List(&change.tags, "tags", nil, "tags of flags every change of which is risky, in place of those that are")
	f.set.File(&file, "file", "", "file with the settings, JSON as printed with --output=json, or YAML; - is standard input").Short("f")
	f.check(func() bool { return file == "" || change.isZero() }, "--file sets everything: leave the other options out")
	f.check(func() bool { return change.numbers() }, "--share and --dependants are numbers")
	return f.runs(func(ctx context.Context, s *session) error {
		c := admin.Call{Path: []string{"environments", f.environment, "risk"}}
		switch {
		case file != "":
			settings, err := s.readDocument(file)
			if err != nil {
				return err
			}
			c.Method, c.Body = http.MethodPut, settings.JSON()
			c = r.on(c)
		case !change.isZero():
			patch, err := change.patch()
			if err != nil {
				return err
			}
			c.Method, c.Body, c.Media = http.MethodPatch, patch, admin.MergePatchMedia
			c = r.on(c)
		}
		found, err := s.do(ctx, c)
		if err != nil {
			return err
		}
		return s.print(found.Body, details(
			at("protected", "protected"), at("tags", "tags"), at("share", "share"), at("dependants", "dependants"), at("freezes", "freezes"),
		))
	})
}

func (c riskChange) isZero() bool {
	return c.protected == "" && c.share == "" && c.dependants == "" && len(c.tags) == 0
}

func (c riskChange) numbers() bool {
	for _, text := range []string{c.share, c.dependants} {
		var number float64
		if text != "" && json.Unmarshal([]byte(text), &number) != nil {
			return false
		}
	}
	return true
}

// patch returns the JSON Merge Patch of the change.
func (c riskChange) patch() ([]byte, error) {
	members := make(map[string]json.RawMessage)
	for name, text := range map[string]string{"protected": c.protected, "share": c.share, "dependants": c.dependants} {
		if text != "" {
			members[name] = json.RawMessage(text)
		}
	}
	if len(c.tags) > 0 {
		tags, err := json.Marshal(c.tags)
		if err != nil {
			return nil, fmt.Errorf("--tags: %w", err)
		}
		members["tags"] = tags
	}
	return json.Marshal(members)
}
