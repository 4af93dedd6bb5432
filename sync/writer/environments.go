package writer

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/go-json-experiment/json"

	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/internal/jetstream"
)

// Environments is the list of environments: records of the journal CONTROL. It is
// safe for concurrent use.
type Environments struct {
	conn     jetstream.Client
	replicas int
	ledger   *Ledger

	turn  chan struct{}    // held while what follows is used
	known environmentIndex // by name
	last  uint64           // sequence of the newest record that was applied
}

// OpenEnvironments creates the stream CONTROL with the given number of replicas
// (1, 3 or 5), or verifies that it has the settings it must have.
func OpenEnvironments(ctx context.Context, c *flagsync.Conn, replicas int) (*Environments, error) {
	journal, err := OpenLedger(ctx, c, ControlLedger(), replicas)
	if err != nil {
		return nil, err
	}
	return &Environments{
		conn: jetstream.Use(c), replicas: replicas, ledger: journal,
		turn: make(chan struct{}, 1), known: make(environmentIndex),
	}, nil
}

// Ledger returns the journal CONTROL, as it is known here.
func (e *Environments) Ledger() *Ledger { return e.ledger }

// Create creates an environment: its streams, the transaction its log begins
// with, and the record in CONTROL that makes it known. Repeating a Create that
// was interrupted completes it. It returns [ErrEnvironmentExists] or
// [ErrEnvironmentArchived] when the name is taken, and [ErrEnvironmentForgotten]
// when CONTROL does not know the environment and its streams are in use; of
// several callers at once exactly one succeeds.
func (e *Environments) Create(ctx context.Context, name string, order Order) (Environment, error) {
	created, _, err := e.create(ctx, environmentRecord{Name: name}, order, e.createUnused)
	if err != nil {
		return Environment{}, fmt.Errorf("create environment %s: %w", name, err)
	}
	return created, nil
}

// Adopt is Create for an environment whose streams are in use, although CONTROL
// does not know it: on an operator's word, after CONTROL was lost. It also returns
// the record. It returns [ErrEnvironmentUnknown] when there are no such streams.
func (e *Environments) Adopt(ctx context.Context, name string, order Order) (Environment, changelog.Anchor, error) {
	adopted, record, err := e.create(ctx, environmentRecord{Name: name, Adopted: true}, order, e.completeStreams)
	if err != nil {
		return Environment{}, changelog.Anchor{}, fmt.Errorf("adopt environment %s: %w", name, err)
	}
	return adopted, record, nil
}

// create makes the streams with make, and then the environment known.
func (e *Environments) create(
	ctx context.Context, created environmentRecord, order Order,
	make func(ctx context.Context, name, actor string) (changelog.Epoch, error),
) (Environment, changelog.Anchor, error) {
	name := created.Name
	if err := flagsync.ValidateEnvironment(name); err != nil {
		return Environment{}, changelog.Anchor{}, err
	}
	e.announce(ctx)
	var epoch changelog.Epoch
	created = created.ordered(environmentCreated, order)
	record, err := e.decide(ctx, func(known Environment, exists bool) (*environmentRecord, error) {
		if exists {
			return nil, taken(known)
		}
		if epoch == "" {
			var err error
			if epoch, err = make(ctx, name, order.Actor); err != nil {
				return nil, e.refusal(ctx, name, err)
			}
		}
		created.Epoch, created.Time = epoch, time.Now().UTC()
		return &created, nil
	}, name)
	if err != nil {
		return Environment{}, changelog.Anchor{}, err
	}
	return Environment{Name: name, Epoch: epoch, Actor: order.Actor, Created: created.Time}, record, nil
}

// refusal returns why streams could not be made: that another caller has created
// the environment meanwhile, and uses it already, comes first.
func (e *Environments) refusal(ctx context.Context, name string, err error) error {
	if errors.Is(err, ErrEnvironmentForgotten) && e.catchUp(ctx) == nil {
		if known, exists := e.known[name]; exists {
			return taken(known)
		}
	}
	return err
}

func taken(e Environment) error {
	switch {
	case !e.Destroyed.IsZero():
		return fmt.Errorf("%w: %q; its name is not given again, because its ledger stays: choose another name", ErrEnvironmentDestroyed, e.Name)
	case e.Archived.IsZero():
		return fmt.Errorf("%w: %q", ErrEnvironmentExists, e.Name)
	}
	return fmt.Errorf("%w: %q; its name is not given again, because its history stays: revive it", ErrEnvironmentArchived, e.Name)
}

// List returns all environments, archived ones too, by name. It reads only what
// is new since the last call.
func (e *Environments) List(ctx context.Context) ([]Environment, error) {
	release, err := e.take(ctx)
	if err != nil {
		return nil, fmt.Errorf("list environments: %w", err)
	}
	defer release()
	if err := e.catchUp(ctx); err != nil {
		return nil, fmt.Errorf("list environments: %w", err)
	}
	e.announce(ctx)
	return e.known.list(), nil
}

// announce writes a newer keys note into CONTROL, so that it stays provable.
func (e *Environments) announce(ctx context.Context) {
	if err := e.ledger.Announce(ctx); err != nil && ctx.Err() == nil {
		e.conn.Logger().Warn().Err(err).Msg("keys note not written to CONTROL")
	}
}

// Archive marks an environment as no longer in use, and returns the record of it.
// Its log stays. Archiving what is archived already does nothing, and returns none.
func (e *Environments) Archive(ctx context.Context, name string, order Order) (changelog.Anchor, error) {
	record, err := e.decide(ctx, func(known Environment, exists bool) (*environmentRecord, error) {
		switch {
		case !exists:
			return nil, unknown(name)
		case !known.Archived.IsZero():
			return nil, nil
		}
		archived := environmentRecord{Name: name, Time: time.Now().UTC()}.ordered(environmentArchived, order)
		return &archived, nil
	}, name)
	if err != nil {
		return changelog.Anchor{}, fmt.Errorf("archive: %w", err)
	}
	return record, nil
}

// Revive takes an archived environment into use again, with its log as it is, and
// returns the record of it. Reviving what is in use does nothing, and returns none.
// What is destroyed stays so ([ErrEnvironmentDestroyed]).
func (e *Environments) Revive(ctx context.Context, name string, order Order) (changelog.Anchor, error) {
	record, err := e.decide(ctx, func(known Environment, exists bool) (*environmentRecord, error) {
		switch {
		case !exists:
			return nil, unknown(name)
		case !known.Destroyed.IsZero():
			return nil, fmt.Errorf("%w: %q; its flags are gone, and its ledger stays", ErrEnvironmentDestroyed, name)
		case known.Archived.IsZero():
			return nil, nil
		}
		revived := environmentRecord{Name: name, Time: time.Now().UTC()}.ordered(environmentRevived, order)
		return &revived, nil
	}, name)
	if err != nil {
		return changelog.Anchor{}, fmt.Errorf("revive: %w", err)
	}
	return record, nil
}

// Destroy marks an archived environment as one whose flags are deleted for good,
// and returns the record of it. Its streams are not touched: see
// [DocumentStreams]. One in use is refused ([ErrEnvironmentInUse]). Destroying what
// is destroyed does nothing, and returns no record.
func (e *Environments) Destroy(ctx context.Context, name string, order Order) (changelog.Anchor, error) {
	record, err := e.decide(ctx, func(known Environment, exists bool) (*environmentRecord, error) {
		switch {
		case !exists:
			return nil, fmt.Errorf("%w: %q", flagsync.ErrEnvironmentUnknown, name)
		case known.Archived.IsZero():
			return nil, fmt.Errorf("%w: %q: archive it first, with flagside environment archive %s", ErrEnvironmentInUse, name, name)
		case !known.Destroyed.IsZero():
			return nil, nil
		}
		destroyed := environmentRecord{Name: name, Time: time.Now().UTC()}.ordered(environmentDestroyed, order)
		return &destroyed, nil
	}, name)
	if err != nil {
		return changelog.Anchor{}, fmt.Errorf("destroy: %w", err)
	}
	return record, nil
}

// DocumentStreams returns the names of the streams that hold the documents of an
// environment, which its ledger is none of.
func DocumentStreams(environment string) []string {
	return []string{jetstream.FlagsStream(environment), jetstream.SnapStream(environment)}
}

func unknown(name string) error {
	return fmt.Errorf("%w: %q: create it first", flagsync.ErrEnvironmentUnknown, name)
}

// decide appends the record that do derives from what is known of an environment,
// none if nil, and returns its place; again each time another record takes that.
func (e *Environments) decide(
	ctx context.Context, do func(Environment, bool) (*environmentRecord, error), name string,
) (changelog.Anchor, error) {
	release, err := e.take(ctx)
	if err != nil {
		return changelog.Anchor{}, err
	}
	defer release()
	for {
		if err := e.catchUp(ctx); err != nil {
			return changelog.Anchor{}, err
		}
		known, exists := e.known[name]
		r, err := do(known, exists)
		if err != nil || r == nil {
			return changelog.Anchor{}, err
		}
		body, err := json.Marshal(r)
		if err != nil {
			return changelog.Anchor{}, err
		}
		sequence, err := e.ledger.Append(ctx, e.last, newID(), body)
		switch {
		case err == nil:
			e.last = sequence
			at, _ := e.ledger.at(sequence) // which has just learned it
			return at, e.known.apply(Record{Sequence: sequence, Body: body})
		case !errors.Is(err, ErrConflict) || ctx.Err() != nil:
			return changelog.Anchor{}, err
		}
	}
}

// take waits for the turn to use what is known.
func (e *Environments) take(ctx context.Context) (release func(), err error) {
	select {
	case e.turn <- struct{}{}:
		return func() { <-e.turn }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", flagsync.ErrUnreachable, context.Cause(ctx))
	}
}

// catchUp applies what CONTROL has beyond what is known. After a repair it reads
// everything again, because what was lost no longer counts.
func (e *Environments) catchUp(ctx context.Context) error {
	repaired, err := e.readOn(ctx)
	if !repaired {
		return err
	}
	fresh := &Environments{ledger: e.ledger, known: make(environmentIndex)}
	if _, err := fresh.readOn(ctx); err != nil {
		return err
	}
	e.known, e.last = fresh.known, fresh.last
	return nil
}

// readOn applies records up to the next repair.
func (e *Environments) readOn(ctx context.Context) (repaired bool, err error) {
	from := e.last + 1
	for r, err := range e.ledger.Read(ctx, from) {
		if err == nil && from > 1 && r.Repairs() {
			return true, nil
		}
		if err == nil {
			err = e.known.apply(r)
		}
		if err != nil {
			return false, err
		}
		e.last = r.Sequence
	}
	return false, nil
}

// readEnvironment reads CONTROL and returns an environment. It returns
// [ErrEnvironmentUnknown] when there is none of the name.
func readEnvironment(ctx context.Context, c jetstream.Client, name string, _ int) (Environment, error) {
	index := make(environmentIndex)
	journal := &Ledger{conn: c, name: ControlLedger()}
	for r, err := range journal.Read(ctx, 1) {
		if err == nil {
			err = index.apply(r)
		}
		if errors.Is(err, flagsync.ErrStreamLost) { // there is no CONTROL yet
			return Environment{}, unknown(name)
		}
		if err != nil {
			return Environment{}, err
		}
	}
	if found, ok := index[name]; ok {
		return found, nil
	}
	return Environment{}, unknown(name)
}

// ReadEnvironments returns all environments, archived ones too, by name, without making or changing anything.
func ReadEnvironments(ctx context.Context, conn *flagsync.Conn) ([]Environment, error) {
	e := &Environments{ledger: NewLedger(conn, ControlLedger()), known: make(environmentIndex)}
	if err := e.catchUp(ctx); err != nil {
		return nil, fmt.Errorf("list environments: %w", err)
	}
	return e.known.list(), nil
}

// EnvironmentsOf returns all environments that records of CONTROL name, archived ones too, by name.
func EnvironmentsOf(records iter.Seq2[Record, error]) ([]Environment, error) {
	known := make(environmentIndex)
	for r, err := range records {
		if err == nil {
			err = known.apply(r)
		}
		if err != nil {
			return nil, err
		}
	}
	return known.list(), nil
}

func validateReplicas(replicas int) error {
	switch replicas {
	case 1, 3, 5:
		return nil
	}
	return fmt.Errorf("%d replicas: want 1 on a single server, 3 or 5 on a cluster", replicas)
}
