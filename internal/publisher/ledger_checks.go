package publisher

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/flagside/flagside/internal/health/logcondition"
	"github.com/flagside/flagside/internal/lifecycle"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/writer"
)

const (
	// ledgerInterval is how often all journals are looked at, and ledgerTimeout bounds one look.
	ledgerInterval = 2 * time.Second
	ledgerTimeout  = 10 * time.Second
)

// ledgerChecks looks again and again at CONTROL and the ledgers: a publisher may read none of them for a long time.
type ledgerChecks struct {
	environments *environments

	mu        sync.Mutex // guards what follows, by stream
	suspected map[string]bool
	damaged   map[string]error
	foreign   map[string]flagsync.Foreign
}

func newLedgerChecks(e *environments) *ledgerChecks {
	return &ledgerChecks{
		environments: e,
		suspected:    make(map[string]bool), damaged: make(map[string]error), foreign: make(map[string]flagsync.Foreign),
	}
}

// run checks until ctx ends.
func (c *ledgerChecks) run(ctx context.Context) error {
	return lifecycle.Every(ctx, ledgerInterval, c.check)
}

// check looks once.
func (c *ledgerChecks) check(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, ledgerTimeout)
	defer cancel()
	checked := make(map[string]bool)
	if list, err := c.environments.opened(); err == nil {
		control := writer.ControlLedger().Stream()
		checked[control] = true
		c.note(control, list.Ledger(), list.Ledger().Verify(ctx))
	}
	for _, running := range c.environments.all() {
		stream := writer.LedgerOf(running.name).Stream()
		checked[stream] = true
		ledger, err := running.openLedger(ctx)
		if err == nil {
			err = ledger.Verify(ctx)
		}
		c.note(stream, ledger, err)
	}
	c.keepOnly(checked)
}

// note takes over what was found, a damage when it is found twice: a server that has just begun to lead may lag behind. What cannot be
// looked at is as it was found last.
func (c *ledgerChecks) note(stream string, journal *writer.Ledger, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case err == nil:
		delete(c.suspected, stream)
		delete(c.damaged, stream)
	case errors.Is(err, writer.ErrDamaged), errors.Is(err, writer.ErrLedgerCut), errors.Is(err, flagsync.ErrStreamLost):
		if c.suspected[stream] {
			c.damaged[stream] = err
		}
		c.suspected[stream] = true
	}
	if journal != nil {
		c.foreign[stream] = journal.Foreign()
	}
}

// keepOnly forgets the journals of environments that are archived.
func (c *ledgerChecks) keepOnly(streams map[string]bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.DeleteFunc(c.suspected, func(stream string, _ bool) bool { return !streams[stream] })
	maps.DeleteFunc(c.damaged, func(stream string, _ error) bool { return !streams[stream] })
	maps.DeleteFunc(c.foreign, func(stream string, _ flagsync.Foreign) bool { return !streams[stream] })
}

// wrong returns what is wrong with journals, by stream.
func (c *ledgerChecks) wrong() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []string
	for _, stream := range slices.Sorted(maps.Keys(c.damaged)) {
		all = append(all, c.damaged[stream].Error())
	}
	return all
}

// news returns which messages in journals and logs no publisher has signed, while that is news.
func (c *ledgerChecks) news(now time.Time) []string {
	c.mu.Lock()
	found := maps.Clone(c.foreign)
	c.mu.Unlock()
	for _, running := range c.environments.all() {
		found["FLAGS_"+running.name] = running.follower.Status().Foreign
	}
	var all []string
	for _, stream := range slices.Sorted(maps.Keys(found)) {
		if news := logcondition.Foreign(found[stream], now); news != "" {
			all = append(all, stream+": "+news)
		}
	}
	return all
}
