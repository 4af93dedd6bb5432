package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/publisher/admin"
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
		found, err := s.do(ctx, admin.Call{Path: requestPath(f.environment, id)})
		if err != nil {
			return err
		}
		var request existingRequest
		if err := json.Unmarshal(found.Body, &request); err != nil {
			return fmt.Errorf("the publisher's answer: %w", err)
		}
		c := change{environment: f.environment, command: admin.Command{Type: "documents"}}
		for _, proposed := range request.Changes {
			part, err := s.part(ctx, f.environment, request, proposed, overwrite)
			if err != nil {
				return err
			}
			c.command.Changes = append(c.command.Changes, part)
		}
		return request.writing(*r).open(ctx, s, c)
	})
}

// existingRequest is what a change request has that is kept when it is rebased.
type existingRequest struct {
	ID          string                `json:"id"`
	ApplyAt     time.Time             `json:"applyAt"`
	LateSeconds int64                 `json:"lateSeconds"`
	Epoch       string                `json:"epoch"`
	Changes     []admin.CommandChange `json:"changes"`
	Bases       []struct {
		Kind     string `json:"kind"`
		Key      string `json:"key"`
		Revision uint64 `json:"revision"`
	} `json:"bases"`
}

func (r existingRequest) writing(m remark) *writing {
	w := &writing{remark: m, rebase: r.ID, late: time.Duration(r.LateSeconds) * time.Second}
	if !r.ApplyAt.IsZero() {
		w.applyAt = r.ApplyAt.Format(time.RFC3339Nano)
	}
	return w
}

// part returns a proposed document on top of what is there now.
func (s *session) part(ctx context.Context, environment string, r existingRequest, proposed admin.CommandChange, overwrite bool) (admin.CommandChange, error) {
	now, err := s.document(ctx, environment, proposed.Kind, proposed.Key)
	if err != nil {
		return admin.CommandChange{}, err
	}
	if now.name != r.base(proposed) && !overwrite {
		return admin.CommandChange{}, &failure{code: exitConflict, text: fmt.Sprintf("%s %s was changed itself since the change request was made, at revision %s: "+
			"propose the change again with --rebase %s of the command that made it, or undo what came between with --overwrite",
			proposed.Kind, proposed.Key, now.name, r.ID), problem: problemType + "stale"}
	}
	proposed.IfMatch = now.name
	return proposed, nil
}

// base returns the revision of a document that a request was made from, empty if there was none.
func (r existingRequest) base(d admin.CommandChange) string {
	for _, b := range r.Bases {
		if b.Kind == d.Kind && b.Key == d.Key && b.Revision > 0 {
			return fmt.Sprintf("%.8s-%d", r.Epoch, b.Revision)
		}
	}
	return ""
}
