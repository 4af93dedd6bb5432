package access

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/flagside/flagside/sync/writer"
)

// eraseTimeout bounds Erase, which reads all of the directory.
const eraseTimeout = 15 * time.Second

// Erase deletes all data about a person, who is named by an id or by the subject that policies know, and records that it did. It returns the
// ids that are left. Erasing a person by id again changes nothing. The author must have been permitted to Administer. The error is
// ErrPersonUnknown or ErrPeopleUnavailable; after the latter, erase the person again.
func (p *People) Erase(ctx context.Context, author Principal, person string, why Why) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, eraseTimeout)
	defer cancel()
	ids, err := p.erase(ctx, author, person, why)
	if err != nil && !errors.Is(err, ErrPersonUnknown) {
		err = fmt.Errorf("%w: %w", ErrPeopleUnavailable, err)
	}
	return ids, err
}

func (p *People) erase(ctx context.Context, author Principal, person string, why Why) ([]string, error) {
	if err := p.begin(ctx); err != nil {
		return nil, err
	}
	if err := p.catchUp(ctx); err != nil {
		return nil, err
	}
	stored, err := p.store().List(ctx)
	if err != nil {
		return nil, err
	}
	ids := p.idsOf(person, stored)
	if len(ids) == 0 {
		return nil, ErrPersonUnknown
	}
	for _, id := range ids {
		if err := p.store().Erase(ctx, id); err != nil {
			return nil, err
		}
		if err := p.recordErased(ctx, author, id, why); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

// idsOf returns all ids under which something may stand about a person, also where the journal knows nothing of it.
func (p *People) idsOf(person string, stored map[string]writer.Person) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	ids := make(map[string]bool)
	subject := storedSubject(person)
	if known := p.persons[person]; known != nil {
		ids[person], subject = true, known.Subject
	}
	if subject == "" {
		return slices.Sorted(maps.Keys(ids))
	}
	for id, known := range p.persons {
		if known.Subject == subject {
			ids[id] = true
		}
	}
	for id, data := range stored {
		if data.Subject == subject {
			ids[id] = true
		}
	}
	return slices.Sorted(maps.Keys(ids))
}

// recordErased records that a person was erased, if the journal has the person and not that.
func (p *People) recordErased(ctx context.Context, author Principal, id string, why Why) error {
	return p.append(ctx, func() (any, error) {
		if known, ok := p.Find(id); !ok || !known.Erased.IsZero() {
			return nil, nil //nolint:nilnil // there is nothing to record
		}
		return personRecord{Type: personErased, ID: id, Time: time.Now().UTC(), Actor: author.ID, Why: why}, nil
	})
}
