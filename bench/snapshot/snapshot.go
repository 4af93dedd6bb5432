// Package snapshot makes snapshots of environments that never existed, for measurements: a log with so many flags takes minutes to write.
package snapshot

import (
	"bytes"
	"time"

	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/publisher/keys"
	"github.com/flagside/flagside/sync/changelog"
)

// Of returns a snapshot of an environment with the flags of a flagd file, as a publisher with the keys in a directory would have signed it.
func Of(environment string, file []byte, keysDir string) ([]byte, error) {
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
