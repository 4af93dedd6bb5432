package access

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/writer"
)

// Errors of People.
var (
	// ErrPeopleUnavailable means that it cannot be read or written now who a person is; try again.
	ErrPeopleUnavailable = errors.New("what is stored about persons (stream PEOPLE) cannot be read or written now: ask again later")
	// ErrPersonUnknown means that there is no such person.
	ErrPersonUnknown = errors.New("there is no such person: name an id or a subject that the list of persons shows")
)

// Unregistered is recorded where a person did nothing but be refused: those get no id.
const Unregistered = "unregistered"

const (
	personCreated = "person.created"
	personErased  = "person.erased"
)

// Directory is where the data of persons stands, from which it can be erased: a flagsync.People. What it returns is not signed.
type Directory interface {
	Put(ctx context.Context, id string, person writer.Person) (writer.Person, error)
	Get(ctx context.Context, id string) (writer.Person, error)
	List(ctx context.Context) (map[string]writer.Person, error)
	Erase(ctx context.Context, id string) error
}

// Person is a user of an issuer who made a change, or tried to with permission.
type Person struct {
	// ID is random and stands in records. It stays when the person is erased.
	ID string
	// Name and Subject are as in Principal. They are empty for a person whose data was erased, is missing or was forged.
	Name, Subject string
	// Created is when the person got the id.
	Created time.Time
	// Erased is the time of erasure, and Eraser the id of the principal that did it; zero and empty before.
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
	// Actor is the id of who erased the person, and Why why, of the type person.erased.
	Actor string `json:"actor,omitempty"`
	Why
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
	p.about, p.take, p.forget, p.settle = "persons", p.takeRecord, p.forgetPersons, p.load
	return p
}

// Run reads the persons and keeps them current until ctx ends, which is no error. It may be called again after an error, but not twice at once.
func (p *People) Run(ctx context.Context, journal Ledger, directory Directory) error {
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

// forgetPersons is called when the journal was repaired and is read again; p.mu must be held.
func (p *People) forgetPersons() {
	p.persons, p.current, p.pending = make(map[string]*knownPerson), make(map[string]string), nil
}

// takeRecord adds a record to what is known; p.mu must be held.
func (p *People) takeRecord(r writer.Record) error {
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
	pending := slices.Clone(p.pending)
	p.mu.Unlock()
	for _, id := range pending {
		data, err := p.store().Get(ctx, id)
		if err != nil && !errors.Is(err, writer.ErrPersonUnknown) {
			return fmt.Errorf("persons: %w", err)
		}
		p.keep(id, data)
	}
	return nil
}

// store returns the directory, which Run has set.
func (p *People) store() Directory {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.directory
}

// keep takes over the data of a person if it is what the journal has the hash of. Of several ids of a subject the newest counts.
func (p *People) keep(id string, data writer.Person) {
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
