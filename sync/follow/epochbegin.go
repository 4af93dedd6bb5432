package follow

import (
	"context"
	"errors"
	"fmt"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/internal/jetstream"
)

// epochBegin says where an epoch begins. The zero value is not known.
type epochBegin struct {
	epoch    changelog.Epoch
	revision uint64
}

// newestEpoch returns the entry that the newest epoch of a log begins with, as far
// as anything proves it: a heartbeat names it, or it is signed itself and stands
// at one of the revisions or is the newest entry about an epoch. It returns
// errNoMessage when there is none. Nothing follows from that: noise may stand in
// the place of the newest.
func newestEpoch(ctx context.Context, c jetstream.Client, environment string, named epochBegin, at ...uint64) (changelog.Record, error) {
	if err := c.AdoptKeys(ctx, environment); err != nil {
		return changelog.Record{}, err
	}
	var newest changelog.Record
	consider := func(m jetstream.Message, err error) error {
		if err != nil {
			return err
		}
		r, err := c.Keyring().OpenEntry(environment, m.Entry(environment))
		if err != nil && m.Sequence == named.revision {
			r, err = changelog.OpenNamedEntry(environment, named.epoch, m.Entry(environment))
		}
		if err == nil && r.Kind == document.KindEpoch && r.Epoch.Later(newest.Epoch) {
			newest = r
		}
		return nil
	}
	stream := jetstream.FlagsStream(environment)
	for _, revision := range append(at, named.revision) {
		if revision == 0 {
			continue
		}
		if err := consider(c.Message(ctx, stream, revision)); err != nil && !errors.Is(err, jetstream.ErrNoMessage) {
			return newest, err
		}
	}
	id := document.ID{Kind: document.KindEpoch, Key: document.EpochKey}
	err := consider(c.LastMessage(ctx, stream, jetstream.FlagsSubject(environment)+"."+changelog.Subject(id)))
	if err != nil && !errors.Is(err, jetstream.ErrNoMessage) {
		return newest, fmt.Errorf("newest epoch of %s: %w", environment, err)
	}
	if newest.Revision == 0 {
		return newest, jetstream.ErrNoMessage
	}
	return newest, nil
}

// beginOfEpoch returns the entry that an epoch begins with, of which something signed is
// known. Its own key may be retired, or be listed by a later entry only: what
// follows has to prove it. Epochs are random, so that nothing which names one comes
// before it. It returns errNoMessage when it is not there.
func beginOfEpoch(ctx context.Context, c jetstream.Client, environment string, epoch changelog.Epoch) (changelog.Record, error) {
	id := document.ID{Kind: document.KindEpoch, Key: document.EpochKey}
	for m, err := range c.AboutSubject(ctx, jetstream.FlagsStream(environment), jetstream.FlagsSubject(environment)+"."+changelog.Subject(id)) {
		if err != nil {
			return changelog.Record{}, fmt.Errorf("begin of epoch %s of %s: %w", epoch.Short(), environment, err)
		}
		if r, err := changelog.OpenNamedEntry(environment, epoch, m.Entry(environment)); err == nil {
			return r, nil
		}
	}
	return changelog.Record{}, jetstream.ErrNoMessage
}
