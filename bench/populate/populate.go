// Package populate fills an environment with flags, for measurements.
package populate

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/client"
	"github.com/flagside/flagside/internal/publisher/keys"
	"github.com/flagside/flagside/sync/changelog"
)

// Fill puts the flags of a file into an empty environment of a publisher with the keys in keysDir, and returns the revision then. It restores a snapshot
// that the log knows nothing of, part by part, which is faster than to apply the file.
func Fill(ctx context.Context, c *client.Client, environment string, file []byte, keysDir string) (changelog.Token, error) {
	snapshot, err := snapshotOf(environment, file, keysDir)
	if err != nil {
		return changelog.Token{}, err
	}
	for {
		done, err := c.RestoreEnvironment(ctx, environment, snapshot, api.RestoreQuery{Part: true}, api.RestoreHeaders{ChangeHeaders: api.ChangeHeaders{Reason: "fills the environment"}, BreakGlass: true})
		if err != nil {
			return changelog.Token{}, fmt.Errorf("restore: %w", err)
		}
		if done.Remaining == 0 {
			return changelog.ParseToken(done.Environment.Revision)
		}
	}
}

// snapshotOf returns a snapshot with the flags of a file, as a publisher with the keys in a directory would have signed it.
func snapshotOf(environment string, file []byte, keysDir string) ([]byte, error) {
	documents, problems := eval.ParseFile(file, "")
	if len(documents) == 0 {
		return nil, problems
	}
	installation, err := keys.Open(keysDir)
	if err != nil {
		return nil, err
	}
	state := changelog.State{}.Edit()
	for i := range documents {
		documents[i].Revision = 2
		state.Add(documents[i])
	}
	head, err := installation.Signer.SignHead(environment, changelog.Head{
		Position: changelog.Position{Epoch: changelog.NewEpoch(time.Now(), ""), Revision: 2, Digest: changelog.Sum(nil)}, State: state.State().Digest(),
	})
	if err != nil {
		return nil, err
	}
	header := changelog.Header{Environment: environment, Count: len(documents), Head: head, Keys: installation.Keyring.Note().Text}
	var out bytes.Buffer
	w, err := changelog.NewSnapshotWriter(&out, header)
	if err != nil {
		return nil, err
	}
	for _, d := range documents {
		if err := w.Write(d); err != nil {
			return nil, err
		}
	}
	err = w.Close() // which writes the end
	return out.Bytes(), err
}
