package cli

import (
	"context"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/eval"
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
		listed := make([]api.DocumentInList, len(all))
		for i, flag := range all {
			listed[i] = flag.DocumentInList
		}
		return s.print(items[api.DocumentInList]{listed}, func(out io.Writer) error { return s.flagTable(ctx, out, f.environment, all) })
	})
}

// flagTable shows flags, with when they were used last if that is known.
func (s *session) flagTable(ctx context.Context, out io.Writer, environment string, all []listedFlag) error {
	titles := "KEY|STATE|DEFAULT|KIND|OWNER|TAGS|REVISION"
	lastUse, known := s.lastUses(ctx, environment)
	if known {
		titles += "|LAST USE"
	}
	return list(titles, all, func(l listedFlag) []string {
		row := []string{
			cell(l.Key), l.state(), cell(l.defaultVariant()), cell(l.flag.Kind()), cell(l.flag.Owner()), cells(l.flag.Tags()), cell(l.Revision),
		}
		if known {
			row = append(row, lastUse(l.Key))
		}
		return row
	})(out)
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

// listedFlag is a flag of a list, and what its document says.
type listedFlag struct {
	api.DocumentInList
	flag *eval.Flag
}

// selected returns the flags of an environment that are wanted.
func (s *session) selected(ctx context.Context, environment string, wanted selection) (flags []listedFlag, err error) {
	all, err := s.client.AllDocuments(ctx, environment, document.KindFlag)
	if err != nil {
		return nil, err
	}
	documents := make([]document.Document, len(all))
	for i, d := range all {
		documents[i] = document.Document{Kind: document.KindFlag, Key: d.Key, Body: d.Document}
	}
	rules, now := declared(documents...), time.Now()
	for _, d := range all {
		if flag := rules.Flag(d.Key); flag != nil && wanted.has(flag, now) {
			flags = append(flags, listedFlag{d, flag})
		}
	}
	return flags, nil
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

// state is the state as documents write it.
func (l listedFlag) state() string {
	if l.flag.Enabled() {
		return "ENABLED"
	}
	return "DISABLED"
}

func (l listedFlag) defaultVariant() string {
	if v := l.flag.DefaultVariant(); v != nil {
		return v.Name()
	}
	return ""
}

// answers says in a word or two what a flag answers.
func (l listedFlag) answers() string {
	switch {
	case !l.flag.Enabled():
		return "off"
	case len(l.flag.Targeting()) > 0 && string(l.flag.Targeting()) != "null":
		return "by rule"
	default:
		return "on: " + printable(l.defaultVariant())
	}
}
