package access_test

import (
	"slices"
	"testing"

	"github.com/flagside/flagside/internal/publisher/access"
)

// By the default policy, what carries out lifecycle policies may freeze and propose for flags whose kind a lifecycle policy may name, with a second
// person where people need one, and nothing else: it approves nothing, archives nothing, and touches no kill switch.
func TestLifecycleMayDoLittle(t *testing.T) {
	t.Parallel()
	a := defaultAuthorizer(t)
	actor := access.Principal{ID: "lifecycle", Kind: access.KindLocal, Groups: []string{access.RoleLifecycle}}
	ask := func(action access.Action, r access.Resource, c access.Circumstances) access.Answer {
		return a.Authorize(access.Question{Principal: actor, Action: action, Resource: r, Circumstances: c})
	}
	its := []access.Action{access.Propose, access.Change, access.Apply}
	for _, environment := range []string{"staging", "prod"} {
		flag := func(kind string) access.Resource {
			return access.Resource{Environment: environment, Kind: "flag", Key: "f", FlagKind: kind}
		}
		for _, kind := range []string{"experiment", "permission", "release"} {
			for _, action := range access.Actions() {
				alone := slices.Contains(its, action) && (environment == "staging" || action == access.Propose)
				agreed := slices.Contains(its, action)
				if got := ask(action, flag(kind), access.Circumstances{OwnRequest: true}); got.Permitted != alone {
					t.Errorf("%s of a flag of kind %s in %s: %+v", action, kind, environment, got)
				}
				if got := ask(action, flag(kind), access.Circumstances{OwnRequest: true, Approvals: 1}); got.Permitted != agreed {
					t.Errorf("%s of a flag of kind %s in %s, approved: %+v", action, kind, environment, got)
				}
			}
		}
		others := []access.Resource{
			{}, {Environment: environment}, flag("ops"), flag(""), flag("of another kind"), {Environment: environment, Kind: "segment", Key: "s"}, {Environment: environment, Kind: "settings"},
		}
		for _, r := range others {
			for _, action := range access.Actions() {
				if got := ask(action, r, access.Circumstances{Approvals: 5, BreakGlass: true}); got.Permitted {
					t.Errorf("%s of %+v: %+v", action, r, got)
				}
			}
		}
	}
}
