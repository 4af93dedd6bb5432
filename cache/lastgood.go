package cache

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/sync/changelog"
)

// goodVersion is a version of a document that compiled and is not the current
// one, with the last state that it belonged to and what proves that.
type goodVersion struct {
	document document.Document
	head     changelog.Head
	hashes   changelog.State
	stored   *changelog.Membership // in place of hashes, of a version that was read from the disk
}

// membership proves that versions of one state belong to it.
func membership(versions []goodVersion) changelog.Membership {
	documents := make([]document.Document, len(versions))
	for i, good := range versions {
		documents[i] = good.document
	}
	for _, good := range versions {
		if good.stored == nil {
			return good.hashes.Membership(documents)
		}
	}
	return *versions[0].stored // of all that were of that state
}

// The file of last good versions is the line "flagside last-good 2" and frames, as
// a tail has them, each with a lastGoodGroup.
const lastGoodMagic = "flagside last-good 2\n"

var errLastGoodFormat = errors.New("not a file of last good flag versions in a known format")

// lastGoodGroup is documents that belonged to one state.
type lastGoodGroup struct {
	Environment string               `json:"environment"`
	Head        changelog.Head       `json:"head"`
	Documents   []tailDocument       `json:"documents"`
	Membership  changelog.Membership `json:"membership"`
}

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
	data, err := encodeLastGood(d.environment, v.lastGood)
	if err != nil {
		return err
	}
	err = d.write(lastGoodFile, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
	if err != nil {
		return err
	}
	return d.publish(lastGoodFile)
}

func encodeLastGood(environment string, versions map[document.ID]goodVersion) ([]byte, error) {
	byHead := make(map[changelog.Head][]goodVersion)
	for _, good := range versions {
		if !good.head.IsZero() { // one of a bootstrap file is not proved
			byHead[good.head] = append(byHead[good.head], good)
		}
	}
	data := []byte(lastGoodMagic)
	for _, head := range slices.SortedFunc(maps.Keys(byHead), func(a, b changelog.Head) int { return strings.Compare(string(a.Signature), string(b.Signature)) }) {
		group := lastGoodGroup{Environment: environment, Head: head}
		for _, good := range byHead[head] {
			group.Documents = append(group.Documents, tailDocumentOf(good.document))
		}
		group.Membership = membership(byHead[head])
		var err error
		if data, err = appendFrame(data, group); err != nil {
			return nil, err
		}
	}
	return data, nil
}

// readLastGood returns the last good versions that are proved, and why others are
// not; none if there is no such file.
func (d *disk) readLastGood() ([]goodVersion, error) {
	data, err := os.ReadFile(d.path(lastGoodFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	versions, err := decodeLastGood(data, d.environment, d.keys)
	if err != nil {
		err = fmt.Errorf("%s: %w", d.path(lastGoodFile), err)
	}
	return versions, err
}

func decodeLastGood(data []byte, environment string, keys *changelog.Keyring) (versions []goodVersion, err error) {
	if !bytes.HasPrefix(data, []byte(lastGoodMagic)) {
		return nil, errLastGoodFormat
	}
	frames := tailReader{data: data, offset: len(lastGoodMagic)}
	for frames.more() {
		var group lastGoodGroup
		if err := frames.decode(&group); err != nil {
			return versions, err
		}
		read, groupErr := group.open(environment, keys)
		if groupErr != nil {
			err = groupErr
		}
		versions = append(versions, read...)
	}
	return versions, err
}

// open returns the versions of a group if they are proved.
func (g lastGoodGroup) open(environment string, keys *changelog.Keyring) ([]goodVersion, error) {
	if g.Environment != environment {
		return nil, fmt.Errorf("it is of environment %q, not of %q", g.Environment, environment)
	}
	if err := keys.VerifyHead(g.Environment, g.Head); err != nil {
		return nil, fmt.Errorf("%w: revision %d: %w", changelog.ErrUnproved, g.Head.Revision, err)
	}
	documents := make([]document.Document, len(g.Documents))
	for i, d := range g.Documents {
		documents[i] = d.document()
	}
	if err := g.Membership.Verify(documents, g.Head.State); err != nil {
		return nil, fmt.Errorf("%w: %w", changelog.ErrUnproved, err)
	}
	versions := make([]goodVersion, len(documents))
	for i, d := range documents {
		versions[i] = goodVersion{document: d, head: g.Head, stored: &g.Membership}
	}
	return versions, nil
}
