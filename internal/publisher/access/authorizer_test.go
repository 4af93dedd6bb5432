package access_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/publisher/access"
)

func principal(groups ...string) access.Principal {
	return access.Principal{ID: "token:1", Name: "somebody", Kind: access.KindToken, Groups: groups}
}

func defaultAuthorizer(tb testing.TB) *access.Authorizer {
	tb.Helper()
	a, err := access.NewAuthorizer("", zerolog.Nop())
	if err != nil {
		tb.Fatal(err)
	}
	return a
}

func authorizer(tb testing.TB, policy string) *access.Authorizer {
	tb.Helper()
	a, err := access.ParseAuthorizer("test.cedar", []byte(policy))
	if err != nil {
		tb.Fatal(err)
	}
	return a
}

// TestDefaultPolicy holds every role, action and kind of resource against a table. In it, y is permitted, n is not, and 1 is not before
// one approval.
func TestDefaultPolicy(t *testing.T) {
	t.Parallel()
	resources := map[string]access.Resource{
		"global":    {},
		"staging":   {Environment: "staging"},
		"prod":      {Environment: "prod"},
		"flag":      {Environment: "staging", Kind: "flag", Key: "f", FlagSet: "web", Owner: "o", FlagKind: "release", Tags: []string{"ui"}},
		"security":  {Environment: "staging", Kind: "flag", Key: "f", Tags: []string{"ui", "security"}},
		"segment":   {Environment: "staging", Kind: "segment", Key: "s"},
		"settings":  {Environment: "staging", Kind: "settings"},
		"protected": {Environment: "live", Protected: true, Kind: "flag", Key: "f"},
		"prod flag": {Environment: "prod", Kind: "flag", Key: "f"},
	}
	const table = `
resource   role      read propose change approve apply archive break-glass administer
global     viewer    y    n       n      n       n     n       n           n
global     editor    y    y       y      n       y     y       n           n
global     approver  y    y       n      y       y     n       n           n
global     admin     y    y       y      y       y     y       y           y
global     stranger  n    n       n      n       n     n       n           n
staging    viewer    y    n       n      n       n     n       n           n
staging    editor    y    y       y      n       y     y       n           n
staging    approver  y    y       n      y       y     n       n           n
staging    admin     y    y       y      y       y     y       y           y
staging    stranger  n    n       n      n       n     n       n           n
prod       viewer    y    n       n      n       n     n       n           n
prod       editor    y    y       1      n       1     1       n           n
prod       approver  y    y       n      y       1     n       n           n
prod       admin     y    y       1      y       1     1       y           y
prod       stranger  n    n       n      n       n     n       n           n
flag       viewer    y    n       n      n       n     n       n           n
flag       editor    y    y       y      n       y     y       n           n
flag       approver  y    y       n      y       y     n       n           n
flag       admin     y    y       y      y       y     y       y           y
flag       stranger  n    n       n      n       n     n       n           n
security   viewer    y    n       n      n       n     n       n           n
security   editor    y    y       1      n       1     1       n           n
security   approver  y    y       n      y       1     n       n           n
security   admin     y    y       1      y       1     1       y           y
security   stranger  n    n       n      n       n     n       n           n
segment    viewer    y    n       n      n       n     n       n           n
segment    editor    y    y       y      n       y     y       n           n
segment    approver  y    y       n      y       y     n       n           n
segment    admin     y    y       y      y       y     y       y           y
segment    stranger  n    n       n      n       n     n       n           n
settings   viewer    y    n       n      n       n     n       n           n
settings   editor    y    y       y      n       y     y       n           n
settings   approver  y    y       n      y       y     n       n           n
settings   admin     y    y       y      y       y     y       y           y
settings   stranger  n    n       n      n       n     n       n           n
protected  viewer    y    n       n      n       n     n       n           n
protected  editor    y    y       1      n       1     1       n           n
protected  approver  y    y       n      y       1     n       n           n
protected  admin     y    y       1      y       1     1       y           y
protected  stranger  n    n       n      n       n     n       n           n
prod+flag  viewer    y    n       n      n       n     n       n           n
prod+flag  editor    y    y       1      n       1     1       n           n
prod+flag  approver  y    y       n      y       1     n       n           n
prod+flag  admin     y    y       1      y       1     1       y           y
prod+flag  stranger  n    n       n      n       n     n       n           n
`
	a := defaultAuthorizer(t)
	rows := strings.Split(strings.TrimSpace(table), "\n")
	if want := 1 + 5*len(resources); len(rows) != want {
		t.Fatalf("%d rows, want %d", len(rows), want)
	}
	actions := strings.Fields(rows[0])[2:]
	for _, row := range rows[1:] {
		cells := strings.Fields(row)
		resource, role := strings.ReplaceAll(cells[0], "+", " "), cells[1]
		if _, known := resources[resource]; !known || len(cells) != 2+len(actions) {
			t.Fatalf("row %q", row)
		}
		for i, want := range cells[2:] {
			q := access.Question{
				Principal: principal("flagside:" + role), Action: access.Action(actions[i]), Resource: resources[resource],
			}
			if got := brief(a.Authorize(q)); got != want {
				t.Errorf("%s may %s %s: %s, want %s", role, actions[i], resource, got, want)
			}
		}
	}
	if diff := cmp.Diff(len(access.Actions()), len(actions)); diff != "" {
		t.Error("actions are missing in the table", diff)
	}
}

// brief writes an answer as a cell of the table.
func brief(a access.Answer) string {
	switch {
	case a.Permitted && a.Approvals == 0:
		return "y"
	case a.Approvals > 0:
		return fmt.Sprint(a.Approvals)
	default:
		return "n"
	}
}

func TestCircumstances(t *testing.T) {
	t.Parallel()
	prod := access.Resource{Environment: "prod", Kind: "flag", Key: "f"}
	staging := access.Resource{Environment: "staging", Kind: "flag", Key: "f"}
	a := defaultAuthorizer(t)
	const expensive, depended = "second-person-where-mistakes-are-expensive", "second-person-where-much-depends"
	for name, c := range map[string]struct {
		principal     access.Principal
		action        access.Action
		resource      access.Resource
		circumstances access.Circumstances
		want          access.Answer
	}{
		"needs a second person": {
			principal(access.RoleEditor), access.Change, prod, access.Circumstances{}, access.Answer{Approvals: 1, Policies: []string{expensive}},
		},
		"has one": {
			principal(access.RoleEditor), access.Apply, prod,
			access.Circumstances{Approvals: 1},
			access.Answer{Permitted: true, Policies: []string{"editors-edit"}},
		},
		"nine depend": {
			principal(access.RoleEditor), access.Change, staging,
			access.Circumstances{Risk: access.Risk{Dependants: 9}},
			access.Answer{Permitted: true, Policies: []string{"editors-edit"}},
		},
		"ten depend": {
			principal(access.RoleEditor), access.Change, staging,
			access.Circumstances{Risk: access.Risk{Dependants: 10}},
			access.Answer{Approvals: 1, Policies: []string{depended}},
		},
		"own request": {
			principal(access.RoleAdmin), access.Approve, staging,
			access.Circumstances{OwnRequest: true},
			access.Answer{Policies: []string{"nobody-approves-their-own-request"}},
		},
		"an editor breaks the glass": {
			principal(access.RoleEditor), access.Change, prod, access.Circumstances{BreakGlass: true}, access.Answer{},
		},
		"an admin does": {
			principal(access.RoleAdmin), access.Change, prod,
			access.Circumstances{BreakGlass: true},
			access.Answer{Permitted: true, Policies: []string{"admins-do-everything"}},
		},
		"nobody": {
			access.Principal{Groups: []string{access.RoleAdmin}},
			access.Read, staging,
			access.Circumstances{},
			access.Answer{Policies: []string{access.Unauthenticated}},
		},
		"an action that does not exist": {principal(access.RoleAdmin), "destroy", staging, access.Circumstances{}, access.Answer{}},
		"negative approvals": {
			principal(access.RoleEditor), access.Change, prod,
			access.Circumstances{Approvals: -3},
			access.Answer{Approvals: 1, Policies: []string{expensive}},
		},
	} {
		got := a.Authorize(access.Question{Principal: c.principal, Action: c.action, Resource: c.resource, Circumstances: c.circumstances})
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// A scope takes away, and never gives.
func TestScope(t *testing.T) {
	t.Parallel()
	a := defaultAuthorizer(t)
	p := principal(access.RoleEditor)
	p.Scope = access.Scope{Environments: []string{"staging"}, Actions: []access.Action{access.Read, access.Administer}}
	for _, c := range []struct {
		action      access.Action
		environment string
		want        bool
	}{
		{access.Read, "staging", true},
		{access.Read, "prod", false},
		{access.Read, "", false},
		{access.Change, "staging", false},
		{access.Administer, "staging", false},
	} {
		q := access.Question{Principal: p, Action: c.action, Resource: access.Resource{Environment: c.environment}}
		if got := a.Authorize(q).Permitted; got != c.want {
			t.Errorf("%s in %q: %t, want %t", c.action, c.environment, got, c.want)
		}
	}
}

// The least number of approvals is answered, up to five.
func TestApprovals(t *testing.T) {
	t.Parallel()
	f := func(needed, have, want int) {
		t.Helper()
		a := authorizer(t, fmt.Sprintf(`@id("enough") permit (principal, action, resource) when { context.approvals >= %d };`, needed))
		got := a.Authorize(access.Question{
			Principal: principal(), Action: access.Change, Resource: access.Resource{Environment: "e"},
			Circumstances: access.Circumstances{Approvals: have},
		})
		if got.Approvals != want || got.Permitted != (have >= needed) {
			t.Errorf("%d approvals of %d: %+v, want %d", have, needed, got, want)
		}
	}
	f(0, 0, 0)
	f(1, 0, 1)
	f(3, 1, 3)
	f(5, 0, 5)
	f(6, 0, 0)
	f(6, 6, 0)
}

// A forbid that cannot be evaluated forbids.
func TestFailingForbid(t *testing.T) {
	t.Parallel()
	a := authorizer(t, `
@id("all") permit (principal, action, resource);
@id("overflow") forbid (principal, action, resource) when { 9223372036854775807 + context.risk.dependants > 0 };`)
	q := access.Question{Principal: principal(), Action: access.Read, Resource: access.Resource{Environment: "e"}}
	q.Circumstances.Risk.Dependants = 1
	got := a.Authorize(q)
	if got.Permitted || len(got.Errors) != 1 || !cmp.Equal(got.Policies, []string{"overflow"}) {
		t.Errorf("%+v, want that the failing policy forbids", got)
	}
}

// Everything that the schema offers can be asked for.
func TestAttributesAndGroups(t *testing.T) {
	t.Parallel()
	flag := access.Resource{
		Environment: "e", Protected: true, Kind: "flag", Key: "k", FlagSet: "web", Owner: "team", FlagKind: "ops", Tags: []string{"a"},
	}
	risk := access.Risk{
		High: true, Reasons: []access.RiskReason{{Code: "tagged"}}, ShareKnown: true, Share: 0.101, Dependants: 2, UsageKnown: true, InUse: true,
	}
	for _, condition := range []string{
		`resource in Flagside::FlagSet::"e/web" && resource in Flagside::Environment::"e"`,
		`resource in Flagside::Installation::"flagside" && resource is Flagside::Flag`,
		`resource.protected && resource.key == "k" && resource.flagSet == "web" && resource.owner == "team" && resource.kind == "ops"`,
		`resource.tags.contains("a") && resource == Flagside::Flag::"e/k"`,
		`principal == Flagside::Principal::"token:1" && principal.name == "somebody" && principal.kind == "token"`,
		`principal in Flagside::Group::"g"`,
		`context.risk.high && context.risk.reasons.contains("tagged") && context.risk.shareKnown && context.risk.sharePercent == 11`,
		`context.risk.dependants == 2 && context.risk.usageKnown && context.risk.inUse`,
	} {
		a := authorizer(t, `permit (principal, action, resource) when { `+condition+` };`)
		q := access.Question{
			Principal: principal("g"), Action: access.Change, Resource: flag, Circumstances: access.Circumstances{Risk: risk},
		}
		if got := a.Authorize(q); !got.Permitted {
			t.Errorf("%s: %+v", condition, got)
		}
		q.Principal, q.Resource, q.Circumstances = access.Principal{ID: "x"}, access.Resource{}, access.Circumstances{}
		if got := a.Authorize(q); got.Permitted {
			t.Errorf("%s is permitted to anybody", condition)
		}
	}
}

func TestPolicyMistakes(t *testing.T) {
	t.Parallel()
	f := func(policy string, want ...string) {
		t.Helper()
		_, err := access.ParseAuthorizer("p.cedar", []byte(policy))
		for _, part := range want {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("%q: %v, want %q in it", policy, err, part)
			}
		}
	}
	f("", "p.cedar", "no policy")
	f("permit (", "p.cedar", "1:")
	f("\n\npermit (principal, action, resource) when { resource.colour == \"red\" };", "p.cedar:3:1", "colour")
	f(`permit (principal, action == Flagside::Action::"destroy", resource);`, "p.cedar:1:1", "destroy")
	f(`permit (principal in Group::"x", action, resource);`, "p.cedar:1:1", "Group")
	f(`permit (principal, action, resource) when { context.approvals > "1" };`, "p.cedar:1:1")
	f("@id(\"a\") permit (principal, action, resource);\n@id(\"a\") permit (principal, action, resource);", "p.cedar:2:1", `"a"`)
	f(strings.Repeat(" ", 65<<10), "larger")
}

// When a file that is read again is wrong, the former policies stay in force.
func TestReload(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "p.cedar")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(`permit (principal, action, resource);`)
	a, err := access.NewAuthorizer(file, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	q := access.Question{Principal: principal(), Action: access.Read, Resource: access.Resource{Environment: "e"}}
	write(`nonsense`)
	if a.Look(); a.Err() != nil {
		t.Errorf("a file that may still be written is refused: %v", a.Err())
	}
	if a.Look(); a.Err() == nil || !strings.Contains(a.Err().Error(), file) {
		t.Errorf("%v, want an error that names the file", a.Err())
	}
	if a.Look(); a.Err() == nil {
		t.Error("the error is forgotten while the file stays as it is")
	}
	if !a.Authorize(q).Permitted {
		t.Error("the former policies are gone")
	}
	write(`forbid (principal, action, resource);`)
	if a.Look(); !a.Authorize(q).Permitted {
		t.Error("policies that may still be written are in force")
	}
	if a.Look(); a.Err() != nil || a.Authorize(q).Permitted {
		t.Errorf("the new policies are not in force: %v", a.Err())
	}
	if _, err := access.NewAuthorizer(filepath.Join(t.TempDir(), "none"), zerolog.Nop()); err == nil {
		t.Error("a file that does not exist is no error")
	}
}

// FuzzPolicy loads anything, and asks what was loaded.
func FuzzPolicy(f *testing.F) {
	f.Add(access.DefaultPolicy())
	f.Add([]byte(`permit (principal, action, resource) when { context.approvals * 9223372036854775807 > 1 };`))
	f.Add([]byte(`forbid (principal is Flagside::Principal in Flagside::Group::"x", action, resource) unless { resource.tags.isEmpty() };`))
	f.Fuzz(func(t *testing.T, text []byte) {
		a, err := access.ParseAuthorizer("fuzz", text)
		if err != nil {
			return
		}
		for _, action := range access.Actions() {
			answer := a.Authorize(access.Question{Principal: principal("x"), Action: action, Resource: access.Resource{Environment: "e"}})
			if answer.Permitted && (answer.Approvals != 0 || len(answer.Policies) == 0) {
				t.Errorf("%s: %+v", action, answer)
			}
		}
	})
}

// What flags about payments depend on needs a second person as they do themselves, and so does everything while changes are frozen.
func TestDefaultPolicyHeedsRisk(t *testing.T) {
	t.Parallel()
	a := defaultAuthorizer(t)
	for code, approvals := range map[string]int{"sensitive-tag": 1, "freeze-window": 1, "share-of-users": 0} {
		for _, action := range []access.Action{access.Change, access.Apply, access.Archive} {
			q := access.Question{
				Principal: principal(access.RoleEditor), Action: action, Resource: access.Resource{Environment: "staging", Kind: "segment", Key: "s"},
				Circumstances: access.Circumstances{Risk: access.Risk{High: true, Reasons: []access.RiskReason{{Code: code}}}},
			}
			if got := a.Authorize(q); got.Permitted != (approvals == 0) || got.Approvals != approvals {
				t.Errorf("%s because of %s: %+v, want %d approvals", action, code, got, approvals)
			}
		}
	}
}

// Someone to whom no policy permits an action is told so, and not the policy that wants a second person: another person's consent would not help.
func TestNoPolicyIsBlamedThatDoesNotDecide(t *testing.T) {
	t.Parallel()
	a := defaultAuthorizer(t)
	ask := func(role string, action access.Action) access.Answer {
		return a.Authorize(access.Question{
			Principal: access.Principal{ID: "one", Kind: access.KindToken, Groups: []string{role}}, Action: action,
			Resource: access.Resource{Environment: "prod", Kind: "flag", Key: "f"},
		})
	}
	if got := ask(access.RoleViewer, access.Change); got.Permitted || got.Approvals != 0 || len(got.Policies) != 0 {
		t.Errorf("a viewer: %+v", got)
	}
	if got := ask(access.RoleEditor, access.Change); got.Approvals != 1 || !slices.Contains(got.Policies, "second-person-where-mistakes-are-expensive") {
		t.Errorf("an editor: %+v", got)
	}
}
