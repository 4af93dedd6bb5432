package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/admin"
)

func policyAskCommand() commandline.Command {
	return command("policy ask", "ask a running publisher who may do what", policyAsk)
}

func policyAsk() commandline.Invocation {
	var q admin.PolicyQuestion
	var resource, owner string
	var tags []string
	f := newForm("policy ask", "Asks a running publisher whether its policies permit something, and which of them decide. "+
		"The exit code is 7 if it needs approvals, 3 if it is denied.")
	var actions []string
	for _, action := range access.Actions() {
		actions = append(actions, string(action))
	}
	f.set.Argument(&q.Action, "ACTION", "what is to be done: "+strings.Join(actions, ", ")).OneOf(actions...)
	f.set.String(&resource, "resource", "", "what it is done to: ENVIRONMENT, ENVIRONMENT/flag/KEY, ENVIRONMENT/segment/KEY or ENVIRONMENT/settings; "+
		"without it what is global")
	f.set.String(&q.Principal, "principal", "", "what policies call who would do it, such as corp:8f3a; without it you; only administrators may ask about others")
	f.set.List(&q.Groups, "group", nil, "groups of the principal, unless that is you")
	f.set.List(&tags, "tag", nil, "tags of the flag")
	f.set.String(&owner, "owner", "", "owner of the flag")
	f.set.Int(&q.Approvals, "approvals", 0, "how many others have approved the change")
	f.set.Bool(&q.OwnRequest, "own-request", false, "the principal is the author of the change request")
	f.set.Bool(&q.BreakGlass, "break-glass", false, "the principal demands to go without approvals")
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
func resourceOf(text string) (admin.Resource, error) {
	parts := strings.SplitN(text, "/", 3)
	switch {
	case text == "":
		return admin.Resource{}, nil
	case parts[0] == "":
	case len(parts) == 1:
		return admin.Resource{Environment: text}, nil
	case len(parts) == 2 && parts[1] == "settings":
		return admin.Resource{Environment: parts[0], Kind: parts[1]}, nil
	case len(parts) == 3 && (parts[1] == "flag" || parts[1] == "segment") && parts[2] != "":
		return admin.Resource{Environment: parts[0], Kind: parts[1], Key: parts[2]}, nil
	}
	return admin.Resource{}, fmt.Errorf("%q is no resource such as prod, prod/flag/checkout, prod/segment/staff or prod/settings", text)
}

func (s *session) askPolicies(ctx context.Context, q admin.PolicyQuestion) error {
	body, err := json.Marshal(q)
	if err != nil {
		return err
	}
	found, err := s.do(ctx, admin.Call{Method: http.MethodPost, Path: []string{"policy", "check"}, Body: body})
	if err != nil {
		return err
	}
	var answer admin.PolicyAnswer
	if err := json.Unmarshal(found.Body, &answer); err != nil {
		return fmt.Errorf("the publisher's answer: %w", err)
	}
	show := details(at("permitted", "permitted"), at("approvals needed", "approvals"), at("decided by", "policies"), at("failed", "errors"))
	if err := s.print(found.Body, show); err != nil || answer.Permitted {
		return err
	}
	return NotPermitted(answer.Approvals)
}

// NotPermitted returns the error of a question about policies that is answered with no: for good, or, with approvals, for now.
func NotPermitted(approvals int) error {
	if approvals > 0 {
		return &failure{code: exitApproval, text: "it is permitted with approvals only"}
	}
	return &failure{code: exitRefused, text: "it is not permitted"}
}
