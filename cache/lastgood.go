package cache

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"

	"github.com/flagside/flagside/sync/changelog"
)

// writeLastGood stores the last good versions beside the snapshot of v, which
// has the current ones only. It need not belong to exactly that snapshot: a
// version that is newer than the one in an older snapshot comes again with the
// tail.
func (d *disk) writeLastGood(v *View) error {
	if len(v.lastGood) == 0 {
		if err := os.Remove(d.path(lastGoodFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	h := changelog.Header{Environment: d.environment, Position: v.Position(), Count: len(v.lastGood)}
	for _, doc := range v.lastGood {
		h.StateDigest = h.StateDigest.Toggle(doc)
	}
	err := d.write(lastGoodFile, func(w io.Writer) error {
		return writeSnapshot(w, h, maps.Values(v.lastGood))
	})
	if err != nil {
		return err
	}
	return d.publish(lastGoodFile)
}

// readLastGood returns the last good versions of a history; none if there is no
// such file.
func (d *disk) readLastGood(epoch changelog.Epoch) ([]changelog.Document, error) {
	s, err := readSnapshotFile(d.path(lastGoodFile), d.environment)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case s.position.Epoch != epoch:
		return nil, nil
	}
	return slices.Collect(s.documents.all()), nil
}
