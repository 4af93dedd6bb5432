package publisher

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/flagside/flagside/internal/publisher/control"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/changelog"
)

const (
	// journalInterval is how often ledgers and CONTROL are read to their end.
	journalInterval = 2 * time.Second
	// foreignNews is how long the newest foreign message is worth a condition.
	foreignNews = time.Hour
)

// journalChecks read ledgers and CONTROL again and again, and compare them with what publishers signed of them elsewhere.
type journalChecks struct {
	environments *environments
	now          func() time.Time

	mu      sync.Mutex
	found   map[string]journalState // by stream
	pending map[string]bool         // streams that looked damaged the last time, which a leader that lags explains
}

// journalState is how a journal was found.
type journalState struct {
	damage  error     // why it does not go on; nil if it does
	foreign uint64    // messages that no publisher signed for their place
	last    []uint64  // sequences of the last of them
	since   time.Time // when the newest of them was found
}

func newJournalChecks(e *environments) *journalChecks {
	return &journalChecks{environments: e, now: time.Now, found: make(map[string]journalState), pending: make(map[string]bool)}
}

// run checks until ctx ends.
func (c *journalChecks) run(ctx context.Context) error {
	look := time.NewTicker(journalInterval)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-look.C:
			c.check(ctx)
		}
	}
}

// check looks once at all journals.
func (c *journalChecks) check(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	seen := make(map[string]bool)
	if list, err := c.environments.opened(); err == nil {
		c.environments.expect(list)
		c.note(list.Journal(), list.Journal().Verify(ctx))
		seen[list.Journal().Name().Stream()] = true
	}
	for _, e := range c.environments.all() {
		name := flagsync.Ledger(e.name).Stream()
		seen[name] = true
		ledger, err := e.openLedger(ctx)
		if err == nil {
			err = ledger.Verify(ctx)
		}
		if ledger != nil || errors.Is(err, flagsync.ErrStreamLost) {
			c.noteNamed(name, ledger, err)
		}
		if isDamage(err) {
			e.forgetLedger(ledger)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for name := range c.found {
		if !seen[name] {
			delete(c.found, name)
		}
	}
}

func (c *journalChecks) note(j *flagsync.Journal, err error) { c.noteNamed(j.Name().Stream(), j, err) }

// noteNamed keeps what was found. That a leader could not be asked changes nothing, and damage has to be found twice.
func (c *journalChecks) noteNamed(name string, j *flagsync.Journal, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	state := c.found[name]
	switch damaged := isDamage(err); {
	case err == nil:
		state.damage = nil
		delete(c.pending, name)
	case damaged && c.pending[name]:
		state.damage = err
	case damaged:
		c.pending[name] = true
	}
	if j != nil {
		if count, last := j.Noise(); count > state.foreign {
			state.foreign, state.last, state.since = count, last, c.now()
		}
	}
	c.found[name] = state
}

// isDamage reports whether an error tells that a journal does not go on, which a repair mends.
func isDamage(err error) bool {
	return errors.Is(err, flagsync.ErrDamaged) || errors.Is(err, flagsync.ErrJournalCut) || errors.Is(err, flagsync.ErrStreamLost)
}

// damaged returns a sentence for each journal that does not go on, with its remedy.
func (c *journalChecks) damaged() (sentences []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for name, state := range c.found {
		if state.damage != nil {
			sentences = append(sentences, fmt.Sprintf("%s: %v; %s", name, state.damage, repairRemedy(name)))
		}
	}
	return sentences
}

// repairRemedy names the command that repairs the journal in a stream.
func repairRemedy(stream string) string {
	if environment, ok := strings.CutPrefix(stream, "LEDGER_"); ok {
		return "\"publisher ledger repair --environment " + environment + "\" goes on behind the damage"
	}
	return "\"publisher ledger repair --control\" goes on behind the damage"
}

// foreign returns a sentence for each journal with messages that no publisher signed, while that is news.
func (c *journalChecks) foreign() (sentences []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for name, state := range c.found {
		if state.foreign > 0 && c.now().Sub(state.since) <= foreignNews {
			sentences = append(sentences, fmt.Sprintf("%s: %d messages, the last at %s",
				name, state.foreign, strings.Trim(strings.ReplaceAll(fmt.Sprint(state.last), " ", ", "), "[]")))
		}
	}
	return sentences
}

// RepairLedger lets the ledger of an environment go on behind a damage, and returns the record that says so.
func (e *environments) RepairLedger(ctx context.Context, name, actor, reason string) (changelog.Anchor, error) {
	running, err := e.find(name)
	if err != nil {
		return changelog.Anchor{}, err
	}
	missing := running.follower.Status().Ledger
	if ledger := running.openedLedger(); ledger != nil {
		missing = newer(missing, ledger.Head())
	}
	return e.repair(ctx, flagsync.Ledger(name), flagsync.JournalRepair{Actor: actor, Reason: reason, Missing: missing})
}

// RepairControl lets CONTROL go on behind a damage, and returns the record that says so. It does not need CONTROL to be readable.
func (e *environments) RepairControl(ctx context.Context, actor, reason string) (changelog.Anchor, error) {
	var missing changelog.Anchor
	for _, running := range e.all() {
		missing = newer(missing, running.follower.Status().Control)
	}
	if list, err := e.opened(); err == nil {
		missing = newer(missing, list.Journal().Head())
	}
	return e.repair(ctx, flagsync.Control(), flagsync.JournalRepair{Actor: actor, Reason: reason, Missing: missing})
}

// newer returns the one of two records of a journal that stands further back.
func newer(a, b changelog.Anchor) changelog.Anchor {
	if b.Sequence > a.Sequence {
		return b
	}
	return a
}

// repair repairs a journal. Whoever asked may be gone, but what was begun is completed.
func (e *environments) repair(ctx context.Context, name flagsync.JournalName, r flagsync.JournalRepair) (changelog.Anchor, error) {
	conn := e.connection()
	if conn == nil {
		return changelog.Anchor{}, fmt.Errorf("%w: NATS was not reached yet", control.ErrNotReady)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), renewTimeout)
	defer cancel()
	at, err := flagsync.RepairJournal(ctx, conn, name, e.options.Replicas, r)
	if err == nil {
		e.mended()
	}
	return at, err
}
