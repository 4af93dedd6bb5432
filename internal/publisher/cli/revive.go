package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"github.com/flagside/flagside/internal/publisher/admin"
)

func (k kind) revive() Invocation {
	var key string
	f := newForm(k.one+" revive", "Brings a "+k.one+" back that was deleted, as it was before. What was deleted along with it comes back with "+
		"environment rollback, or one by one.").inEnvironment()
	k.key(f, &key)
	w := f.changes()
	return f.runs(func(ctx context.Context, s *session) error {
		last, err := k.lastBeforeDeletion(ctx, s, f.environment, key)
		if err != nil {
			return err
		}
		body, err := json.Marshal(map[string]string{"revision": last})
		if err != nil {
			return err
		}
		c := k.change(f, key, "rollback", http.MethodPost, "rollback")
		c.Body, c.command.Revision = body, last
		c.done = k.one + " " + printable(key) + " is back as it was at " + last
		return w.write(ctx, s, c)
	})
}

// lastBeforeDeletion returns the revision of the last version of a document that was deleted.
func (k kind) lastBeforeDeletion(ctx context.Context, s *session, environment, key string) (string, error) {
	found, err := s.do(ctx, admin.Call{Path: append(k.path(environment, key), "history"), Query: url.Values{"limit": {"2"}}})
	if err != nil {
		return "", err
	}
	var history struct {
		Items []struct{ Revision, Action string } `json:"items"`
	}
	if err := json.Unmarshal(found.Body, &history); err != nil {
		return "", fmt.Errorf("the publisher's answer: %w", err)
	}
	if len(history.Items) < 2 || history.Items[0].Action != "delete" {
		return "", &failure{exitConflict, fmt.Sprintf("%s %s is not deleted: there is nothing to bring back", k.one, printable(key)), ""}
	}
	return history.Items[1].Revision, nil
}
