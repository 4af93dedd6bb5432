package access

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/flagside/flagside/sync/writer"
)

// identifyTimeout bounds Identify, which leaves some time of a request to the rest of it.
const identifyTimeout = 5 * time.Second

// Identify returns a principal with the id that is recorded. A person who has none gets one: call it once it is clear that something is to
// be recorded. Several calls at once, here and elsewhere, give one id. The error is ErrPeopleUnavailable.
func (p *People) Identify(ctx context.Context, who Principal) (Principal, error) {
	if who.ID != "" || who.Kind != KindOIDC {
		return who, nil
	}
	ctx, cancel := context.WithTimeout(ctx, identifyTimeout)
	defer cancel()
	err := p.begin(ctx)
	if err == nil {
		err = p.register(ctx, writer.Person{Name: who.Name, Subject: storedSubject(who.Subject)})
	}
	if err != nil {
		return who, fmt.Errorf("%w: %w", ErrPeopleUnavailable, err)
	}
	if who = p.resolve(who); who.ID == "" {
		return who, fmt.Errorf("%w: the record that was just stored is missing", ErrPeopleUnavailable)
	}
	return who, nil
}

// begin waits until Run has been called.
func (p *People) begin(ctx context.Context) error {
	select {
	case <-p.begun:
		return nil
	case <-ctx.Done():
		return errors.New("the persons were not read yet")
	}
}

// register gives a person an id unless there is one. The data is stored first, so that a record is never without it.
func (p *People) register(ctx context.Context, person writer.Person) error {
	id := rand.Text()
	stored, recorded := false, false
	err := p.append(ctx, func() (any, error) {
		recorded = false
		if p.registered(person.Subject) {
			return nil, nil //nolint:nilnil // there is nothing to record
		}
		if !stored {
			var err error
			if person, err = p.store().Put(ctx, id, person); err != nil {
				return nil, err
			}
			stored = true
		}
		hash, err := person.Hash()
		recorded = err == nil
		return personRecord{Type: personCreated, ID: id, Time: time.Now().UTC(), Hash: hash}, err
	})
	if stored && !recorded { // another one was faster
		err = errors.Join(err, p.store().Erase(context.WithoutCancel(ctx), id))
	}
	return err
}

func (p *People) registered(subject string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.current[subject] != ""
}
