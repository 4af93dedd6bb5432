package trusttest

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/sync/changelog"
)

// Snapshot returns a snapshot of an environment that was signed with the keys, of an epoch that begins now.
func (k Keys) Snapshot(tb testing.TB, environment string, documents ...document.Document) []byte {
	tb.Helper()
	state, revision := changelog.State{}.Edit(), uint64(1)
	for _, d := range documents {
		state.Add(d)
		revision = max(revision, d.Revision)
	}
	position := changelog.Position{Epoch: changelog.NewEpoch(time.Now(), ""), Revision: revision, Digest: changelog.Sum([]byte("the last entry"))}
	head, err := k.Signer().SignHead(environment, changelog.Head{Position: position, State: state.State().Digest()})
	if err != nil {
		tb.Fatal(err)
	}
	var out bytes.Buffer
	w, err := changelog.NewSnapshotWriter(&out, changelog.Header{Environment: environment, Head: head, Count: len(documents), Keys: k.Note.Text})
	if err != nil {
		tb.Fatal(err)
	}
	for _, d := range documents {
		err = errors.Join(err, w.Write(d))
	}
	if err = errors.Join(err, w.Close()); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}
