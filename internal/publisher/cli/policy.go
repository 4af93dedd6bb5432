package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/api"
)

func policyAskCommand() commandline.Command {
	return command("policy ask", "ask a running publisher who may do what", policyAsk)
}

func policyAsk() commandline.Invocation {
	var q api.PolicyQuestion
	var resource, owner string
	var tags []string
	f := newForm("policy ask", "Asks a running publisher whether its policies permit something, and which of them decide. "+
		"The exit code is 7 if it needs approvals, 3 if it is denied.")
	var actions []string
	for _, action := range access.Actions() {
		actions = append(actions, string(action))
	}
	f.set.Argument(&q.Action, "ACTION", "what is to be done: "+strings.Join(actions, ", ")).OneOf(actions...)
	f.set.String(&resource, "resource", "", "resource of the action: ENVIRONMENT, ENVIRONMENT/flag/KEY, ENVIRONMENT/segment/KEY or ENVIRONMENT/settings; "+
		"without it what is global")
	f.set.String(&q.Principal, "principal", "", "principal that would do it, by its name in policies, such as corp:8f3a; without it you; only administrators may ask about others")
	f.set.List(&q.Groups, "group", nil, "groups of the principal, unless that is you")
	f.set.List(&tags, "tag", nil, "tags of the flag")
	f.set.String(&owner, "owner", "", "owner of the flag")
	f.set.Int(&q.Approvals, "approvals", 0, "how many others have approved the change")
	f.set.Bool(&q.OwnRequest, "own-request", false, "the principal is the author of the change request")
	f.set.Bool(&q.BreakGlass, "break-glass", false, "the principal wants to skip the approvals")
	f.checks = append(f.checks, func() error { _, err := resourceOf(resource); return err })
	return f.runs(func(ctx context.Context, s *session) error {
		var err error
		if q.Resource, err = resourceOf(resource); err != nil {
			return err
		}
		q.Resource.Owner, q.Resource.Tags = owner, tags
		return s.askPolicies(ctx, q)
	})
}

// resourceOf reads what something is done to, the zero value for what is global. A key may contain slashes.
func resourceOf(text string) (api.Resource, error) {
	parts := strings.SplitN(text, "/", 3)
	switch {
	case text == "":
		return api.Resource{}, nil
	case parts[0] == "":
	case len(parts) == 1:
		return api.Resource{Environment: text}, nil
	case len(parts) == 2 && parts[1] == "settings":
		return api.Resource{Environment: parts[0], Kind: parts[1]}, nil
	case len(parts) == 3 && (parts[1] == "flag" || parts[1] == "segment") && parts[2] != "":
		return api.Resource{Environment: parts[0], Kind: parts[1], Key: parts[2]}, nil
	}
	return api.Resource{}, fmt.Errorf("%q is no resource such as prod, prod/flag/checkout, prod/segment/staff or prod/settings", text)
}

func (s *session) askPolicies(ctx context.Context, q api.PolicyQuestion) error {
	answer, err := s.client.CheckPolicy(ctx, q)
	if err != nil {
		return err
	}
	show := details(
		detail{"permitted", strconv.FormatBool(answer.Permitted)}, detail{"approvals needed", countCell(answer.Approvals)},
		detail{"decided by", cells(answer.Policies)}, detail{"failed", cells(answer.Errors)},
	)
	if err := s.print(answer, show); err != nil || answer.Permitted {
		return err
	}
	return NotPermitted(answer.Approvals)
}

// NotPermitted returns the error of a question about policies that is answered with no: for good, or, with approvals, for now.
func NotPermitted(approvals int) error {
	if approvals > 0 {
		return &failure{code: exitApproval, text: "it is permitted with approvals only: open a change request"}
	}
	return &failure{code: exitRefused, text: "it is not permitted"}
}
