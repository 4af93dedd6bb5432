package audit

import (
	"cmp"
	"fmt"

	"github.com/flagside/flagside/sync/changelog"
)

// verifyKept verifies the checkpoints that were kept elsewhere. One that was written in part, or not by a publisher, says nothing; at least
// one must say something about the log.
func (v *verifier) verifyKept() error {
	if v.options.Checkpoints == "" {
		return nil
	}
	var unproved error
	names := false // the log
	for i, signed := range splitCheckpoints(v.options.Checkpoints) {
		kept, err := v.keys.OpenPastCheckpoint(signed)
		if err != nil {
			unproved = fmt.Errorf("kept checkpoint %d: %w", i+1, err)
			v.warn("%v", unproved)
			continue
		}
		for _, h := range kept.Heads {
			names = names || h.Stream == v.log.stream
			if err := v.contains(h); err != nil {
				return err
			}
		}
	}
	if !names {
		return cmp.Or(unproved, fmt.Errorf("no kept checkpoint names %s: give a file of checkpoints of this environment", v.log.stream))
	}
	return nil
}

// contains verifies that the history has the record that a checkpoint names, or says itself that the record was lost. Checkpoints name the
// streams of all environments, and CONTROL, which may not have been exported: those say nothing here.
func (v *verifier) contains(h changelog.StreamHead) error {
	switch {
	case h.Sequence == 0:
		return nil
	case v.log.stream == h.Stream:
		return v.log.contains(changelog.Position{Epoch: h.Epoch, Revision: h.Sequence, Digest: h.Digest})
	case v.journals[h.Stream] != nil:
		return v.journals[h.Stream].contains(h.Anchor)
	}
	return nil
}

func (h *logHistory) contains(at changelog.Position) error {
	digest, found, err := h.places.digest(at.Revision)
	switch {
	case err != nil || found && digest == at.Digest || h.hasLeft(at):
		return err
	case !h.epochs[at.Epoch]:
		return h.bad(at.Revision, 0, "a checkpoint names this revision of epoch %s, and no entry of the log says that this epoch was left: the history was rewritten", at.Epoch.Short())
	}
	return h.bad(at.Revision, 0, "a checkpoint names another entry here: the history was rewritten or cut")
}

func (h *ledgerHistory) contains(a changelog.Anchor) error {
	digest, found, err := h.places.digest(a.Sequence)
	if err != nil || found && digest == a.Digest || h.lacks(a) {
		return err
	}
	return h.bad(a.Sequence, 0, "a checkpoint names another record here: the history was rewritten or cut")
}
