package decide_test

import (
	"testing"
	"time"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/internal/publisher/control/ownership"
	"github.com/flagside/flagside/internal/publisher/control/requests"
	"github.com/flagside/flagside/internal/publisher/control/statetest"
)

const (
	files   = "publisher:/flags/prod"
	objects = "publisher:kubernetes:shop"
	object  = "publisher:kubernetes:shop/search"
)

func owned(variant, more, owner string) []byte {
	return ownership.Marked(statetest.FlagBody(variant, more), owner)
}

// editors permits everything to sources and to the admin, and all but administration to others.
func editors(q access.Question) access.Answer {
	return access.Answer{Permitted: q.Principal.Kind == access.KindSource || q.Action != access.Administer || q.Principal.ID == "admin"}
}

func follows(name string) decide.Origin {
	return decide.Origin{Principal: access.Principal{ID: name, Kind: access.KindSource, Groups: []string{access.RoleSource}}}
}

// What a followed source owns is changed by no one else, and no one else can name one as the owner.
func TestWhatASourceOwnsIsReadOnly(t *testing.T) {
	t.Parallel()
	s := statetest.New()
	s.Apply(t, []document.Document{
		doc("file", owned("on", "", files)), doc("object", owned("on", "", object)), doc("free", statetest.FlagBody("on", "")),
		doc("label", owned("on", "", "shop")), doc("taken", owned("on", "", ownership.Take(files))),
	})
	put := func(key string, body []byte) decide.Command {
		now, _ := s.Document(statetest.FlagID(key))
		if now.Body == nil {
			return decide.Put{ID: statetest.FlagID(key), Body: body, If: absent()}
		}
		if body == nil {
			return decide.Delete{ID: statetest.FlagID(key), If: seen(now.Revision)}
		}
		return decide.Put{ID: statetest.FlagID(key), Body: body, If: seen(now.Revision)}
	}
	editor, admin := person("editor"), person("admin")
	off := func(owner string) []byte { return owned("off", "", owner) }
	for _, test := range []struct {
		name string
		by   decide.Origin
		c    decide.Command
		want decide.Cause // empty if it is permitted
	}{
		{"a person changes", editor, put("file", off(files)), decide.CauseSourceOwned},
		{"a person changes without the owner", admin, put("file", off("")), decide.CauseSourceOwned},
		{"a person takes it over", editor, put("file", off("shop")), decide.CauseSourceOwned},
		{"a person deletes", editor, put("file", nil), decide.CauseSourceOwned},
		{"a person changes what is in an object", editor, put("object", off(object)), decide.CauseSourceOwned},
		{"an editor releases", editor, put("file", owned("on", "", "")), decide.CauseForbidden},
		{"an admin releases", admin, put("file", owned("on", "", "")), ""},
		{"a person takes it as in an emergency", admin, put("file", owned("on", "", ownership.Take(files))), decide.CauseSourceOwned},
		{"a person names a source", editor, put("new", off(files)), decide.CauseSourceOwned},
		{"a person names a source of what is there", editor, put("free", off(object)), decide.CauseSourceOwned},
		{"a person names one taken from a source", editor, put("new", off(ownership.Take(files))), decide.CauseSourceOwned},
		{"a person changes the rest", editor, put("free", off("")), ""},
		{"a person changes what has a label", editor, put("label", off("other")), ""},
		{"a person changes what was taken", editor, put("taken", off(ownership.Take(files))), ""},
		{"a person deletes what was taken", editor, put("taken", nil), decide.CauseSourceOwned},
		{"a person labels what was taken", editor, put("taken", off("shop")), ""},
		{"a person gives back", editor, put("taken", owned("on", "", "")), ""},
		{"a person gives back unawares", editor, put("taken", off("")), decide.CauseSourceOwned},
		{"the source changes", follows(files), put("file", off(files)), ""},
		{"the source deletes", follows(files), put("file", nil), ""},
		{"the source adopts", follows(files), put("free", off(files)), ""},
		{"the source adds", follows(files), put("new", off(files)), ""},
		{"the namespace changes its object", follows(objects), put("object", off(objects+"/other")), ""},
		{"another source changes", follows(objects), put("file", off(object)), decide.CauseSourceOwned},
		{"another source deletes", follows(objects), put("file", nil), decide.CauseSourceOwned},
		{"a source marks as another", follows(objects), put("new", off(files)), decide.CauseSourceOwned},
		{"the source changes what was taken", follows(files), put("taken", off(files)), decide.CauseSourceOwned},
		{"the source gets back what is the same", follows(files), put("taken", owned("on", "", files)), ""},
		{"another source gets that", follows(objects), put("taken", owned("on", "", object)), decide.CauseSourceOwned},
		{"the publisher of one machine", decide.Origin{Actor: "file", Owner: true}, put("file", off("")), ""},
	} {
		in := decide.DecisionInput{Environment: "prod", State: s, Origin: test.by, Now: time.Now(), Principals: fakePrincipals{authorize: editors}}
		g := requests.NewGovernance("prod")
		if err := decide.Writable(g, in, test.c); test.want == "" && err != nil || test.want != "" && !isRefused(err, test.want) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
		_, _, err := decide.Request(g, in, decide.OpenRequest{ID: "r", ProposalSpec: decide.ProposalSpec{Command: test.c}})
		if test.want == "" && err != nil || test.want != "" && !isRefused(err, test.want) {
			t.Errorf("%s, proposed: %v, want %q", test.name, err, test.want)
		}
	}
}

// Of the settings a source owns the metadata alone: the rest is changed as before.
func TestASourceOwnsOnlyTheMetadataOfSettings(t *testing.T) {
	t.Parallel()
	const metadata = `"metadata":{"team":"shop","size":1.0}`
	settings := func(body string) document.Document {
		return document.Document{Kind: document.KindSettings, Key: document.SettingsKey, Body: []byte(body)}
	}
	s := statetest.New()
	s.Apply(t, []document.Document{settings(`{` + metadata + `,"$source":"` + files + `"}`)})
	now, _ := s.Document(settings("").ID())
	for body, want := range map[string]decide.Cause{
		`{"compatibility":"flagd",` + metadata + `,"$source":"` + files + `"}`:                    "",
		`{"compatibility":"flagd","metadata":{"size":1,"team":"shop"},"$source":"` + files + `"}`: "",
		`{"compatibility":"flagd",` + metadata + `}`:                                              decide.CauseSourceOwned,
		`{"compatibility":"flagd","$source":"` + files + `"}`:                                     decide.CauseSourceOwned,
		`{"metadata":{"team":"other"},"$source":"` + files + `"}`:                                 decide.CauseSourceOwned,
	} {
		in := decide.DecisionInput{Environment: "prod", State: s, Origin: person("editor"), Now: time.Now(), Principals: fakePrincipals{authorize: editors}}
		err := decide.Writable(requests.NewGovernance("prod"), in, decide.Put{ID: now.ID(), Body: []byte(body), If: seen(now.Revision)})
		if want == "" && err != nil || want != "" && !isRefused(err, want) {
			t.Errorf("%s: %v, want %q", body, err, want)
		}
	}
}

// With the glass broken a document is changed and taken out of the hands of its source, whatever its author says about the owner.
func TestBreakingTheGlassTakesADocumentFromItsSource(t *testing.T) {
	t.Parallel()
	s := statetest.New()
	s.Apply(t, []document.Document{doc("f", owned("on", "", object)), doc("free", statetest.FlagBody("on", ""))})
	in := decide.DecisionInput{Environment: "prod", State: s, Origin: person("admin"), Now: time.Now(), Principals: fakePrincipals{}}
	now, _ := s.Document(statetest.FlagID("f"))
	for _, c := range []decide.Command{
		decide.Toggle{Flag: "f", If: seen(now.Revision)},
		decide.Put{ID: statetest.FlagID("f"), Body: owned("off", "", ""), If: seen(now.Revision)},
		decide.Put{ID: statetest.FlagID("f"), Body: owned("off", "", "shop"), If: seen(now.Revision)},
	} {
		g := requests.NewGovernance("prod")
		opened, _, err := decide.Request(g, in, decide.OpenRequest{ID: "r", ProposalSpec: decide.ProposalSpec{Command: c, BreakGlass: true}})
		if err != nil {
			t.Fatal(err)
		}
		if owner := ownership.Owner(opened.Proposal.Changes[0].Body); owner != ownership.Take(object) {
			t.Errorf("%#v: the owner is %q", c, owner)
		}
		if err := g.Evolve(1, opened); err != nil {
			t.Fatal(err)
		}
		if _, _, err := decide.Request(g, in, decide.ClaimRequest{Request: "r"}); err != nil {
			t.Errorf("%#v: %v", c, err)
		}
	}
	_, _, err := decide.Request(requests.NewGovernance("prod"), in, decide.OpenRequest{ID: "r", ProposalSpec: decide.ProposalSpec{
		Command: decide.Delete{ID: statetest.FlagID("f"), If: seen(now.Revision)}, BreakGlass: true,
	}})
	if !isRefused(err, decide.CauseSourceOwned) {
		t.Errorf("a deletion, which the source would undo: %v", err)
	}
}

// A change request that names a source as the owner is of no use to anyone else, even where a record says that it was opened.
func TestAClaimLooksAtOwnersAgain(t *testing.T) {
	t.Parallel()
	s := statetest.New()
	in := decide.DecisionInput{Environment: "prod", State: s, Origin: follows(files), Now: time.Now(), Principals: fakePrincipals{}}
	opened, _, err := decide.Request(requests.NewGovernance("prod"), in, decide.OpenRequest{ID: "r", ProposalSpec: decide.ProposalSpec{
		Command: decide.Put{ID: statetest.FlagID("f"), Body: owned("on", "", files), If: absent()}, Source: files,
	}})
	if err != nil {
		t.Fatal(err)
	}
	in.Origin = person("editor") // who carries it out for the source
	for kind, good := range map[access.Kind]bool{access.KindSource: true, access.KindToken: false} {
		g, p := requests.NewGovernance("prod"), *opened.Proposal
		p.Author.Kind = kind
		e := opened
		e.Proposal = &p
		if err := g.Evolve(1, e); err != nil {
			t.Fatal(err)
		}
		if _, _, err := decide.Request(g, in, decide.ClaimRequest{Request: "r"}); (err == nil) != good || !good && !isRefused(err, decide.CauseSourceOwned) {
			t.Errorf("of a %s: %v", kind, err)
		}
	}
}

// A source owns what is in its environment: what is promoted elsewhere keeps the owner that it has there.
func TestPromotionLeavesOwnersWhereTheyAre(t *testing.T) {
	t.Parallel()
	from, to := statetest.New(), statetest.New()
	from.Apply(t, []document.Document{doc("new", owned("on", "", files)), doc("label", owned("on", "", "shop")), doc("taken", owned("on", "", files))})
	to.Apply(t, []document.Document{doc("taken", owned("off", "", ownership.Take(object)))})
	promoted := decide.Promote(from, to, []document.ID{statetest.FlagID("new"), statetest.FlagID("label"), statetest.FlagID("taken")})
	got := map[string]string{}
	for _, d := range promoted.Changes {
		got[d.Key] = ownership.Owner(d.Body)
	}
	if got["new"] != "" || got["label"] != "shop" || got["taken"] != ownership.Take(object) {
		t.Errorf("%v", got)
	}
}
