package cli

import (
	"context"
	"io"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/publisher/api"
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
	f := newForm("environment risk", "Prints the risk settings of an environment and changes those that you give as options; --file sets all of them.").
		named("name of the environment")
	r := f.remarks()
	f.set.Choice(&change.protected, "protected", "", truths(), "whether every change is risky")
	f.set.String(&change.share, "share", "", "share of the users, from 0 to 1: a change that gives that many another answer is risky; 0 is never")
	f.set.String(&change.dependants, "dependants", "", "number of flags: a change that as many depend on is risky; 0 is never")
	f.set.List(&change.tags, "tags", nil, "tags of flags whose every change is risky; replaces the present ones")
	f.set.File(&file, "file", "", "file with the settings, JSON as printed with --output=json, or YAML; - is standard input").Short("f")
	f.check(func() bool { return file == "" || change.isZero() }, "--file sets everything: leave the other options out")
	f.check(func() bool { return change.numbers() }, "--share and --dependants are numbers")
	return f.runs(func(ctx context.Context, s *session) error {
		found, err := s.risk(ctx, f.environment, file, change, r)
		return s.answer(found, err, func(out io.Writer) error { return printRisk(out, found) })
	})
}

// risk returns what is risky in an environment, after what is to be changed has been changed.
func (s *session) risk(ctx context.Context, environment, file string, change riskChange, a *auditFlags) (r api.RiskSettings, err error) {
	switch {
	case file != "":
		text, err := s.readDocument(file)
		if err != nil {
			return r, err
		}
		if err := decode(text, &r, "the settings in "+file); err != nil {
			return r, err
		}
		return s.client.PutRisk(ctx, environment, r, a.headers())
	case !change.isZero():
		patch, err := change.patch()
		if err != nil {
			return r, err
		}
		return s.client.PatchRisk(ctx, environment, patch, a.headers())
	default:
		return s.client.Risk(ctx, environment)
	}
}

func printRisk(out io.Writer, r api.RiskSettings) error {
	share, freezes := absent, []string(nil)
	if r.Share != 0 {
		share = strconv.FormatFloat(r.Share, 'g', -1, 64)
	}
	for _, freeze := range r.Freezes {
		text, err := json.Marshal(freeze)
		if err != nil {
			return err
		}
		freezes = append(freezes, string(text))
	}
	return details(
		detail{"protected", flagCell(r.Protected)}, detail{"tags", cells(r.Tags)}, detail{"share", share}, detail{"dependants", countCell(r.Dependants)},
		detail{"freezes", cells(freezes)},
	)(out)
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

// raw returns the text of an option as JSON, nil for none.
func raw(text string) jsontext.Value {
	if text == "" {
		return nil
	}
	return jsontext.Value(text)
}

// patch returns the JSON Merge Patch of the change.
func (c riskChange) patch() ([]byte, error) {
	return json.Marshal(struct {
		Protected  jsontext.Value `json:"protected,omitzero"`
		Share      jsontext.Value `json:"share,omitzero"`
		Dependants jsontext.Value `json:"dependants,omitzero"`
		Tags       []string       `json:"tags,omitempty"`
	}{raw(c.protected), raw(c.share), raw(c.dependants), c.tags})
}
