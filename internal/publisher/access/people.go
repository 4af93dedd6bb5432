package access

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/changelog"
)

// Errors of People.
var (
	// ErrPeopleUnavailable means that it cannot be read or written now who a person is; try again.
	ErrPeopleUnavailable = errors.New("the stream PEOPLE cannot be used now, so nothing can be recorded about you: ask again later")
	// ErrPersonUnknown means that there is no such person.
	ErrPersonUnknown = errors.New("there is no such person: name an id or a subject that the list of persons shows")
)

// Unregistered is recorded where a person did nothing but be refused: those get no id.
const Unregistered = "unregistered"

const (
	personCreated = "person.created"
	personErased  = "person.erased"
	// identifyTimeout bounds Identify, which leaves some time of a request to the rest of it.
	identifyTimeout = 5 * time.Second
	// eraseTimeout bounds Erase, which reads all of the directory.
	eraseTimeout = 15 * time.Second
)

// Directory is where the data of persons stands, from which it can be erased: a flagsync.People. What it returns is not signed.
type Directory interface {
	Put(ctx context.Context, id string, person flagsync.Person) (flagsync.Person, error)
	Get(ctx context.Context, id string) (flagsync.Person, error)
	List(ctx context.Context) (map[string]flagsync.Person, error)
	Erase(ctx context.Context, id string) error
}

// Person is somebody whom an issuer names and who has changed something, or has tried with the permission to.
type Person struct {
	// ID is random and stands in records. It stays when the person is erased.
	ID string
	// Name and Subject are as in Principal. They are empty for a person whose data was erased, is missing or was forged.
	Name, Subject string
	// Created is when the person got the id.
	Created time.Time
	// Erased is when the person was erased, and Eraser the id of who did it; zero and empty if nobody did.
	Erased time.Time
	Eraser string
}

// personRecord is a record about a person as the journal holds it.
type personRecord struct {
	Type string    `json:"type"`
	ID   string    `json:"id"`
	Time time.Time `json:"time"`
	// Hash is flagsync.Person.Hash of the data, of the type person.created.
	Hash changelog.Digest `json:"hash,omitzero"`
	// Actor is the id of who erased the person, of the type person.erased.
	Actor string `json:"actor,omitempty"`
}

// knownPerson is a person with what only People uses.
type knownPerson struct {
	Person

	hash     changelog.Digest
	sequence uint64 // of the record that created the person
}

// People are the persons of an installation: who has which random id. Publishers share them through a journal, which decides, and a
// directory, whose data counts only if the journal has its hash. It is safe for concurrent use.
type People struct {
	records

	begun     chan struct{} // closed by Run
	directory Directory     // nil before Run; guarded by mu, as is what follows
	persons   map[string]*knownPerson
	current   map[string]string // ids by subject: the newest one
	pending   []string          // ids whose data was not read yet
}

// NewPeople returns no people yet; Run reads them.
func NewPeople() *People {
	p := &People{begun: make(chan struct{}), persons: make(map[string]*knownPerson), current: make(map[string]string)}
	p.about, p.take, p.settle = "persons", p.takeRecord, p.load
	return p
}

// Run reads the persons and keeps them current until ctx ends, which is no error. It may be called again after an error, but not twice at once.
func (p *People) Run(ctx context.Context, journal Journal, directory Directory) error {
	p.mu.Lock()
	p.journal, p.directory = journal, directory
	select {
	case <-p.begun:
	default:
		close(p.begun)
	}
	p.mu.Unlock()
	return p.run(ctx, journal)
}

// takeRecord adds a record to what is known; p.mu must be held.
func (p *People) takeRecord(r flagsync.Record) error {
	if kind := changelog.RecordType(r.Body); kind != personCreated && kind != personErased {
		return nil
	}
	var record personRecord
	if err := json.Unmarshal(r.Body, &record); err != nil {
		return err
	}
	if record.ID == "" {
		return errors.New("it names no person")
	}
	known := p.persons[record.ID]
	switch {
	case record.Type == personCreated && known == nil:
		p.persons[record.ID] = &knownPerson{
			Person: Person{ID: record.ID, Created: record.Time}, hash: record.Hash, sequence: r.Sequence,
		}
		p.pending = append(p.pending, record.ID)
	case record.Type == personErased && known != nil && known.Erased.IsZero():
		if p.current[known.Subject] == known.ID {
			delete(p.current, known.Subject)
		}
		known.Name, known.Subject = "", ""
		known.Erased, known.Eraser = record.Time, record.Actor
	}
	return nil
}

// load reads the data of the persons that records have named since the last call.
func (p *People) load(ctx context.Context) error {
	p.mu.Lock()
	directory, pending := p.directory, slices.Clone(p.pending)
	p.mu.Unlock()
	for _, id := range pending {
		data, err := directory.Get(ctx, id)
		if err != nil && !errors.Is(err, flagsync.ErrPersonUnknown) {
			return fmt.Errorf("persons: %w", err)
		}
		p.keep(id, data)
	}
	return nil
}

// keep takes over the data of a person if it is what the journal has the hash of. Of several ids of a subject the newest counts.
func (p *People) keep(id string, data flagsync.Person) {
	hash, err := data.Hash()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pending = slices.DeleteFunc(p.pending, func(other string) bool { return other == id })
	known := p.persons[id]
	if err != nil || hash != known.hash || data.Subject == "" || !known.Erased.IsZero() {
		return
	}
	known.Name, known.Subject = data.Name, data.Subject
	if before := p.persons[p.current[data.Subject]]; before == nil || before.sequence < known.sequence {
		p.current[data.Subject] = id
	}
}

// resolve returns a principal with its id, if it is a person who is known here.
func (p *People) resolve(who Principal) Principal {
	p.mu.Lock()
	defer p.mu.Unlock()
	who.ID = p.current[storedSubject(who.Subject)]
	return who
}

// storedSubject returns a subject as the directory has it, and policySubject as policies have it.
func storedSubject(subject string) string { return strings.Replace(subject, ":", " ", 1) }

func policySubject(stored string) string { return strings.Replace(stored, " ", ":", 1) }

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
		err = p.register(ctx, flagsync.Person{Name: who.Name, Subject: storedSubject(who.Subject)})
	}
	if err != nil {
		return who, fmt.Errorf("%w: %w", ErrPeopleUnavailable, err)
	}
	if who = p.resolve(who); who.ID == "" {
		return who, fmt.Errorf("%w: what was stored is not there", ErrPeopleUnavailable)
	}
	return who, nil
}

// begin waits until Run has been called.
func (p *People) begin(ctx context.Context) error {
	select {
	case <-p.begun:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("persons: %w", ErrNotReady)
	}
}

// register gives a person an id unless there is one. The data is stored first, so that a record is never without it.
func (p *People) register(ctx context.Context, person flagsync.Person) error {
	id := rand.Text()
	stored, recorded := false, false
	err := p.append(ctx, func() (any, error) {
		recorded = false
		if p.registered(person.Subject) {
			return nil, nil //nolint:nilnil // there is nothing to record
		}
		if !stored {
			var err error
			if person, err = p.directory.Put(ctx, id, person); err != nil {
				return nil, err
			}
			stored = true
		}
		hash, err := person.Hash()
		recorded = err == nil
		return personRecord{Type: personCreated, ID: id, Time: time.Now().UTC(), Hash: hash}, err
	})
	if stored && !recorded { // another one was faster
		err = errors.Join(err, p.directory.Erase(context.WithoutCancel(ctx), id))
	}
	return err
}

func (p *People) registered(subject string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.current[subject] != ""
}

// Gone reports whether an id was that of a person who is not known by it any more: who was erased, or whose data is missing. The same person
// may be here again by another id.
func (p *People) Gone(id string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	known := p.persons[id]
	return p.read && known != nil && !slices.Contains(p.pending, id) && (known.Subject == "" || p.current[known.Subject] != id)
}

// Standing returns the author of something as policies know the person, who is not there to be authenticated. The error is ErrRejected for
// one who is gone, and ErrUnavailable while that is not known. Principals of other kinds are returned as they are.
func (p *People) Standing(who Principal) (Principal, error) {
	if who.Kind != KindOIDC {
		return who, nil
	}
	if !p.ready() {
		return who, fmt.Errorf("%w: the persons were not read yet", ErrUnavailable)
	}
	if p.Gone(who.ID) {
		return who, fmt.Errorf("%w: the person who proposed this was erased, or the data about the person is missing", ErrRejected)
	}
	known, registered := p.Find(who.ID)
	if registered && known.Subject == "" {
		return who, fmt.Errorf("%w: the data of its author was not read yet", ErrUnavailable)
	}
	who.Subject = known.Subject
	return who, nil
}

// Find returns what is known about the person with an id.
func (p *People) Find(id string) (Person, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	known := p.persons[id]
	if known == nil {
		return Person{}, false
	}
	return known.shown(), true
}

func (k *knownPerson) shown() Person {
	shown := k.Person
	shown.Subject = policySubject(shown.Subject)
	return shown
}

// List returns all persons, oldest first, erased ones too. The error is ErrPeopleUnavailable.
func (p *People) List() ([]Person, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.read {
		return nil, ErrPeopleUnavailable
	}
	all := make([]Person, 0, len(p.persons))
	for _, known := range p.persons {
		all = append(all, known.shown())
	}
	slices.SortFunc(all, func(a, b Person) int { return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID)) })
	return all, nil
}

// Erase deletes all data about a person, who is named by an id or by the subject that policies know, and records that it did. It returns the
// ids that are left. Erasing a person by id again changes nothing. The author must have been permitted to Administer. The error is
// ErrPersonUnknown or ErrPeopleUnavailable; after the latter, erase the person again.
func (p *People) Erase(ctx context.Context, author Principal, person string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, eraseTimeout)
	defer cancel()
	ids, err := p.erase(ctx, author, person)
	if err != nil && !errors.Is(err, ErrPersonUnknown) {
		err = fmt.Errorf("%w: %w", ErrPeopleUnavailable, err)
	}
	return ids, err
}

func (p *People) erase(ctx context.Context, author Principal, person string) ([]string, error) {
	if err := p.begin(ctx); err != nil {
		return nil, err
	}
	if err := p.catchUp(ctx); err != nil {
		return nil, err
	}
	stored, err := p.directory.List(ctx)
	if err != nil {
		return nil, err
	}
	ids := p.idsOf(person, stored)
	if len(ids) == 0 {
		return nil, ErrPersonUnknown
	}
	for _, id := range ids {
		if err := p.directory.Erase(ctx, id); err != nil {
			return nil, err
		}
		if err := p.recordErased(ctx, author, id); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

// idsOf returns all ids under which something may stand about a person, also where the journal knows nothing of it.
func (p *People) idsOf(person string, stored map[string]flagsync.Person) []string {
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
func (p *People) recordErased(ctx context.Context, author Principal, id string) error {
	return p.append(ctx, func() (any, error) {
		if known, ok := p.Find(id); !ok || !known.Erased.IsZero() {
			return nil, nil //nolint:nilnil // there is nothing to record
		}
		return personRecord{Type: personErased, ID: id, Time: time.Now().UTC(), Actor: author.ID}, nil
	})
}
