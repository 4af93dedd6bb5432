package cli

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/publisher/api"
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
		listed := make([]api.DocumentInList, len(all))
		for i, flag := range all {
			listed[i] = flag.DocumentInList
		}
		return s.print(items[api.DocumentInList]{listed}, list("KEY|STATE|DEFAULT|KIND|OWNER|TAGS|REVISION", all, func(l listedFlag) []string {
			return []string{
				cell(l.Key), valueCell(l.State), valueCell(l.DefaultVariant), valueCell(l.Kind), valueCell(l.Owner), valueCell(l.Tags), cell(l.Revision),
			}
		}))
	})
}

func segmentList() commandline.Invocation {
	f := newForm("segment list", "Lists the segments of an environment by key.").inEnvironment()
	return f.runs(func(ctx context.Context, s *session) error {
		all, err := s.client.AllDocuments(ctx, f.environment, document.KindSegment)
		return s.answer(items[api.DocumentInList]{all}, err, list("KEY|REVISION|DOCUMENT", all, func(d api.DocumentInList) []string {
			return []string{cell(d.Key), cell(d.Revision), valueCell(jsontext.Value(d.Document))}
		}))
	})
}

// listedFlag is a flag of a list, with what lists show and filters ask for. Environments may tolerate members that are of another type.
type listedFlag struct {
	api.DocumentInList `json:"-"`

	State          jsontext.Value `json:"state"`
	DefaultVariant jsontext.Value `json:"defaultVariant"`
	Targeting      jsontext.Value `json:"targeting"`
	Kind           jsontext.Value `json:"kind"`
	Owner          jsontext.Value `json:"owner"`
	Tags           jsontext.Value `json:"tags"`
	Expires        jsontext.Value `json:"expires"`
	Description    jsontext.Value `json:"description"`
}

// selected returns the flags of an environment that are wanted.
func (s *session) selected(ctx context.Context, environment string, wanted selection) (flags []listedFlag, err error) {
	all, err := s.client.AllDocuments(ctx, environment, document.KindFlag)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	for _, d := range all {
		flag := listedFlag{DocumentInList: d}
		if err := json.Unmarshal(d.Document, &flag); err == nil && wanted.has(flag, now) {
			flags = append(flags, flag)
		}
	}
	return flags, nil
}

// has reports whether a flag is wanted.
func (w selection) has(l listedFlag, now time.Time) bool {
	var tags []string
	_ = json.Unmarshal(l.Tags, &tags) // other values are no tags
	kind, _ := unquoted(l.Kind)
	owner, _ := unquoted(l.Owner)
	expires, _ := unquoted(l.Expires)
	description, _ := unquoted(l.Description)
	switch {
	case w.tag != "" && !slices.ContainsFunc(tags, func(tag string) bool { return strings.EqualFold(tag, w.tag) }):
	case w.owner != "" && !strings.EqualFold(owner, w.owner):
	case w.kind != "" && kind != w.kind:
	case w.state != "" && l.off() != (w.state == "off"):
	case w.expired && !hasExpired(expires, now):
	case w.text != "" && !strings.Contains(strings.ToLower(l.Key+"\n"+description), strings.ToLower(w.text)):
	default:
		return true
	}
	return false
}

// off reports whether a flag is turned off.
func (l listedFlag) off() bool {
	state, _ := unquoted(l.State)
	return state == "DISABLED"
}

// answers says in a word or two what a flag answers.
func (l listedFlag) answers() string {
	switch {
	case l.off():
		return "off"
	case len(l.Targeting) > 0 && l.Targeting.Kind() != 'n':
		return "by rule"
	default:
		variant, _ := unquoted(l.DefaultVariant)
		return "on: " + printable(variant)
	}
}

// hasExpired reports whether a date, to its end in UTC, or a time has passed; nothing never does.
func hasExpired(text string, now time.Time) bool {
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		return !now.Before(day.AddDate(0, 0, 1))
	}
	at, err := time.Parse(time.RFC3339, text)
	return err == nil && !now.Before(at)
}
