package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/publisher/api"
)

// requestRebase proposes the same documents again. What was approved before is no longer.
func requestRebase() commandline.Invocation {
	var id string
	var overwrite bool
	f := newForm("request rebase", "Updates your change request to the current state: the same documents, on top of what has changed since. "+
		"When one of the documents themselves was changed meanwhile, propose the change again with --rebase of the command that made it.").request(&id)
	r := f.remarks()
	f.set.Bool(&overwrite, "overwrite", false, "propose the same documents even where they were changed meanwhile, which undoes that")
	return f.runs(func(ctx context.Context, s *session) error {
		request, err := s.client.Request(ctx, f.environment, id)
		if err != nil {
			return err
		}
		c := change{environment: f.environment, command: api.Command{Type: "documents"}}
		for _, proposed := range request.Changes {
			part, err := s.part(ctx, f.environment, request, proposed, overwrite)
			if err != nil {
				return err
			}
			c.command.Changes = append(c.command.Changes, part)
		}
		return rebasing(request, *r).open(ctx, s, c)
	})
}

// rebasing returns the options that propose a change request again.
func rebasing(r api.ChangeRequest, a auditFlags) *changeFlags {
	w := &changeFlags{auditFlags: a, rebase: r.ID, late: time.Duration(r.LateSeconds) * time.Second}
	if !r.ApplyAt.IsZero() {
		w.applyAt = r.ApplyAt.Format(time.RFC3339Nano)
	}
	return w
}

// part returns a proposed document on top of what is there now.
func (s *session) part(
	ctx context.Context, environment string, r api.ChangeRequest, proposed api.ProposedChange, overwrite bool,
) (api.CommandChange, error) {
	now, err := s.document(ctx, environment, proposed.Kind, proposed.Key)
	if err != nil {
		return api.CommandChange{}, err
	}
	if now.revision != base(r, proposed) && !overwrite {
		return api.CommandChange{}, &failure{code: exitConflict, text: fmt.Sprintf("%s %s was changed itself since the change request was made, at revision %s: "+
			"propose the change again with --rebase %s of the command that made it, or undo what came between with --overwrite",
			proposed.Kind, proposed.Key, now.revision, r.ID)}
	}
	return api.CommandChange{Kind: proposed.Kind, Key: proposed.Key, IfMatch: now.revision, Document: proposed.Document}, nil
}

// base returns the revision of a document that a request was made from, empty if there was none.
func base(r api.ChangeRequest, d api.ProposedChange) string {
	for _, b := range r.Bases {
		if b.Kind == d.Kind && b.Key == d.Key && b.Revision > 0 {
			return fmt.Sprintf("%.8s-%d", r.Epoch, b.Revision)
		}
	}
	return ""
}
