package flagsync

import (
	"context"
	"errors"
	"fmt"

	"github.com/flagside/flagside/sync/changelog"
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
func (c *Conn) newestEpoch(ctx context.Context, environment string, named epochBegin, at ...uint64) (changelog.Record, error) {
	var newest changelog.Record
	consider := func(m storedMessage, err error) error {
		if err != nil {
			return err
		}
		r, err := c.keys.OpenEntry(environment, m.entry(environment))
		if err != nil && m.Sequence == named.revision {
			r, err = changelog.OpenNamedEntry(environment, named.epoch, m.entry(environment))
		}
		if err == nil && r.Kind == changelog.KindEpoch && r.Epoch.Later(newest.Epoch) {
			newest = r
		}
		return nil
	}
	stream := flagsStream(environment)
	for _, revision := range append(at, named.revision) {
		if revision == 0 {
			continue
		}
		if err := consider(c.message(ctx, stream, revision)); err != nil && !errors.Is(err, errNoMessage) {
			return newest, err
		}
	}
	id := changelog.ID{Kind: changelog.KindEpoch, Key: changelog.EpochKey}
	err := consider(c.lastMessage(ctx, stream, flagsSubject(environment)+"."+id.Subject()))
	if err != nil && !errors.Is(err, errNoMessage) {
		return newest, fmt.Errorf("newest epoch of %s: %w", environment, err)
	}
	if newest.Revision == 0 {
		return newest, errNoMessage
	}
	return newest, nil
}
