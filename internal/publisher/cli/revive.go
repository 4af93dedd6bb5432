package cli

import (
	"context"
	"fmt"

	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/publisher/api"
)

func (k kind) revive() commandline.Invocation {
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
		c := k.change(f, key, "rollback")
		c.command.Revision = last
		c.done = k.one + " " + printable(key) + " is back as it was at " + last
		return w.write(ctx, s, c)
	})
}

// beforeLast returns the revision of a document before its last change.
func (k kind) beforeLast(ctx context.Context, s *session, environment, key string) (string, error) {
	versions, err := k.lastVersions(ctx, s, environment, key)
	switch {
	case err != nil:
		return "", err
	case len(versions) < 2 || versions[1].Action == "delete":
		return "", &failure{code: exitConflict, text: fmt.Sprintf("%[1]s %[2]s did not exist before its last change: flagside %[1]s archive %[3]s takes it away",
			k.one, printable(key), shellWord(key))}
	}
	return versions[1].Revision, nil
}

// lastVersions returns the last two changes of a document, the newest first.
func (k kind) lastVersions(ctx context.Context, s *session, environment, key string) ([]api.DocumentChange, error) {
	history, err := s.client.History(ctx, environment, k.id(key), api.HistoryQuery{Limit: 2})
	return history.Items, err
}

// lastBeforeDeletion returns the revision of the last version of a document that was deleted.
func (k kind) lastBeforeDeletion(ctx context.Context, s *session, environment, key string) (string, error) {
	versions, err := k.lastVersions(ctx, s, environment, key)
	if err != nil {
		return "", err
	}
	if len(versions) < 2 || versions[0].Action != "delete" {
		return "", &failure{code: exitConflict, text: fmt.Sprintf("%s %s is not deleted: there is nothing to bring back", k.one, printable(key))}
	}
	return versions[1].Revision, nil
}
