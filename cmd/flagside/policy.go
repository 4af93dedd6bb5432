package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/config"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/cli"
)

// policyQuestion is what flagside policy check is asked.
type policyQuestion struct {
	policy, principal, action, resource string
	groups, tags                        []string
	flagSet, owner, kind                string
	protected, ownRequest, breakGlass   bool
	approvals, dependants               int
}

func policyCheckCommand() commandline.Invocation {
	var q policyQuestion
	set := config.NewSet("flagside policy check", "Checks a policy file. With an action, also says whether it is permitted, and by which policies; "+
		"the exit code is 7 if it needs approvals, 3 if it is denied.")
	set.File(&q.policy, "policy", "", "file with Cedar policies; without it the default policy")
	set.String(&q.principal, "principal", "anonymous", "id of the principal")
	set.List(&q.groups, "group", nil, "groups of the principal, such as "+access.RoleEditor)
	set.String(&q.action, "action", "", "action to check: "+strings.Join(actionNames(), ", "))
	set.String(&q.resource, "resource", "", "resource of the action: ENVIRONMENT, ENVIRONMENT/flag/KEY, ENVIRONMENT/segment/KEY or ENVIRONMENT/settings; "+
		"without it what is global")
	set.Bool(&q.protected, "protected", false, "the environment is marked as protected")
	set.List(&q.tags, "tag", nil, "tags of the flag")
	set.String(&q.flagSet, "flag-set", "", "flag set of the flag")
	set.String(&q.owner, "owner", "", "owner of the flag")
	set.String(&q.kind, "kind", "", "kind of the flag: release, experiment, ops or permission")
	set.Int(&q.approvals, "approvals", 0, "how many others have approved the change")
	set.Int(&q.dependants, "dependants", 0, "how many flags depend on what is changed")
	set.Bool(&q.ownRequest, "own-request", false, "the principal is the author of the change request")
	set.Bool(&q.breakGlass, "break-glass", false, "the principal wants to skip the approvals")
	return commandline.Invocation{Set: set, Check: q.validate, Run: func(_ context.Context, t commandline.Terminal) error { return q.answer(t) }}
}

func actionNames() []string {
	var names []string
	for _, action := range access.Actions() {
		names = append(names, string(action))
	}
	return names
}

func (q *policyQuestion) validate() error {
	if q.action != "" && !slices.Contains(actionNames(), q.action) {
		return fmt.Errorf("%q is none of the actions %s", q.action, strings.Join(actionNames(), ", "))
	}
	_, err := q.parseResource()
	return err
}

// parseResource reads the resource. A key may contain slashes.
func (q *policyQuestion) parseResource() (access.Resource, error) {
	parts := strings.SplitN(q.resource, "/", 3)
	r := access.Resource{Environment: parts[0], Protected: q.protected, FlagSet: q.flagSet, Owner: q.owner, FlagKind: q.kind, Tags: q.tags}
	switch {
	case len(parts) == 1:
		return r, nil
	case len(parts) == 2 && parts[1] == "settings":
		r.Kind = parts[1]
		return r, nil
	case len(parts) == 3 && (parts[1] == "flag" || parts[1] == "segment") && parts[2] != "" && parts[0] != "":
		r.Kind, r.Key = parts[1], parts[2]
		return r, nil
	}
	return access.Resource{}, fmt.Errorf("%q is no resource such as prod, prod/flag/checkout, prod/segment/staff or prod/settings", q.resource)
}

func (q *policyQuestion) answer(t commandline.Terminal) error {
	authorizer, err := access.NewAuthorizer(q.policy, zerolog.Nop())
	if err != nil {
		return err
	}
	if q.action == "" {
		_, err := fmt.Fprintln(t.Stdout, "the policies are good")
		return err
	}
	resource, err := q.parseResource()
	if err != nil {
		return err
	}
	answer := authorizer.Authorize(access.Question{
		Principal: access.Principal{ID: q.principal, Name: q.principal, Groups: q.groups},
		Action:    access.Action(q.action),
		Resource:  resource,
		Circumstances: access.Circumstances{
			Approvals: q.approvals, OwnRequest: q.ownRequest, BreakGlass: q.breakGlass, Risk: access.Risk{Dependants: q.dependants},
		},
	})
	if _, err := fmt.Fprintf(t.Stdout, "%s\n", verdict(answer)); err != nil {
		return err
	}
	if !answer.Permitted {
		return cli.NotPermitted(answer.Approvals)
	}
	return nil
}

// verdict says an answer in a line or more.
func verdict(a access.Answer) string {
	by := "no policy permits it"
	if len(a.Policies) > 0 {
		by = "by " + strings.Join(a.Policies, ", ")
	}
	text := "denied: " + by
	switch {
	case a.Permitted:
		text = "permitted: " + by
	case a.Approvals == 1:
		text = "denied until there is 1 approval: " + by
	case a.Approvals > 1:
		text = fmt.Sprintf("denied until there are %d approvals: %s", a.Approvals, by)
	}
	for _, problem := range a.Errors {
		text += "\nfailed: " + problem
	}
	return text
}
