package flagsync

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/nats-io/nats.go"

	"github.com/flagside/flagside/sync/changelog"
)

// factVersion is the schema version of the facts in CONTROL.
const factVersion = 1

// environmentFact is the newest state of an environment as CONTROL holds it.
type environmentFact struct {
	Version    int             `json:"v"`
	OpID       string          `json:"op"`
	Name       string          `json:"name"`
	Epoch      changelog.Epoch `json:"epoch"`
	Actor      string          `json:"actor"`
	Created    time.Time       `json:"created"`
	Archived   time.Time       `json:"archived,omitzero"`
	ArchivedBy string          `json:"archivedBy,omitzero"`
}

func (f environmentFact) environment() Environment {
	return Environment{Name: f.Name, Epoch: f.Epoch, Actor: f.Actor, Created: f.Created, Archived: f.Archived}
}

func decodeFact(m storedMessage) (environmentFact, error) {
	var f environmentFact
	if err := json.Unmarshal(m.Data, &f); err != nil {
		return environmentFact{}, fmt.Errorf("%s at %d: %w", controlStream, m.Sequence, err)
	}
	if f.Version != factVersion {
		return environmentFact{}, fmt.Errorf("%s at %d: %w: %d", controlStream, m.Sequence, changelog.ErrVersion, f.Version)
	}
	return f, nil
}

func environmentSubject(name string) string { return controlSubject + ".environment." + name }

// fact returns the newest fact about an environment, as the leader has it, and
// its sequence. It returns [ErrEnvironmentUnknown] when there is none.
func (c *Conn) fact(ctx context.Context, name string) (environmentFact, uint64, error) {
	m, err := c.lastMessage(ctx, controlStream, environmentSubject(name))
	if errors.Is(err, errNoMessage) || hasCode(err, codeStreamNotFound) {
		return environmentFact{}, 0, fmt.Errorf("%w: %q: create it first", ErrEnvironmentUnknown, name)
	}
	if err != nil {
		return environmentFact{}, 0, err
	}
	f, err := decodeFact(m)
	return f, m.Sequence, err
}

// errFactMoved is returned when another fact took the place of ours.
var errFactMoved = errors.New("somebody else has just changed it")

// putFact writes a fact after the one with sequence last, 0 being none. It
// asks the leader whatever an error leaves open, until ctx ends.
func (c *Conn) putFact(ctx context.Context, f environmentFact, last uint64) error {
	data, err := json.Marshal(f)
	if err != nil {
		return fmt.Errorf("environment %s: %w", f.Name, err)
	}
	msg := nats.NewMsg(environmentSubject(f.Name))
	msg.Data = data
	msg.Header.Set(headerMessageID, f.OpID)
	msg.Header.Set(headerExpectedLastSubject, strconv.FormatUint(last, 10))
	var pauses backoff
	for {
		ack, err := c.publish(ctx, msg, publishTimeout)
		if err == nil && !ack.Duplicate {
			return nil
		}
		if err != nil && !undecided(err) {
			return err
		}
		found, sequence, lookup := c.fact(ctx, f.Name)
		switch {
		case lookup == nil && found.OpID == f.OpID:
			return nil
		case lookup == nil && sequence > last:
			return errFactMoved
		}
		if !pauses.wait(ctx) {
			return fmt.Errorf("environment %s: it is undecided whether the change was stored, repeat it: %w", f.Name, errors.Join(err, lookup))
		}
	}
}

// environment returns what CONTROL says about an environment.
func (c *Conn) environment(ctx context.Context, name string, _ int) (Environment, error) {
	f, _, err := c.fact(ctx, name)
	return f.environment(), err
}
