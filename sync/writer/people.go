package writer

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"

	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/internal/jetstream"
)

const (
	peopleVersion = 1
	maxPerson     = 16 << 10 // bytes of what is stored about a person
	saltBytes     = 32
)

// Errors of [People].
var (
	// ErrPersonUnknown means that nothing is known about a person: never, or no
	// longer.
	ErrPersonUnknown = errors.New("nothing is known about the person")
	// ErrPersonExists means that something is known already.
	ErrPersonExists = errors.New("the person is known already")
)

// Person is what is known about a person, and the only place where it stands:
// everything else names the person by a random id.
type Person struct {
	Name    string // for people
	Subject string // what the issuer calls the person, "<issuer> <subject>"
	Salt    []byte // random, saltBytes long; made by Put if it is empty
}

// Hash returns the SHA-256 of the salt and the data. A record that cannot be
// erased names it, so that the data can be proved as long as it exists, and says
// nothing about the person afterwards.
func (p Person) Hash() (changelog.Digest, error) {
	data, err := json.Marshal(personData{p.Name, p.Subject})
	if err != nil {
		return changelog.Digest{}, fmt.Errorf("person: %w", err)
	}
	return changelog.Sum(append(append(make([]byte, 0, len(p.Salt)+len(data)), p.Salt...), data...)), nil
}

type personData struct {
	Name    string `json:"name,omitzero"`
	Subject string `json:"subject,omitzero"`
}

// storedPerson is a person as the stream holds it.
type storedPerson struct {
	Version int        `json:"v"`
	Salt    []byte     `json:"salt"` // base64
	Data    personData `json:"data"`
}

// People is what is known about persons, in the stream PEOPLE, from which it can
// be erased. What it returns is not signed: compare [Person.Hash] with the
// record that names the person. It is safe for concurrent use.
type People struct{ conn jetstream.Client }

// OpenPeople creates the stream PEOPLE with the given number of replicas (1, 3 or
// 5), or verifies that it has the settings it must have.
func OpenPeople(ctx context.Context, conn *flagsync.Conn, replicas int) (*People, error) {
	if err := validateReplicas(replicas); err != nil {
		return nil, err
	}
	c := jetstream.Use(conn)
	if _, err := c.CreateStream(ctx, jetstream.PeopleConfig(replicas)); err != nil {
		return nil, fmt.Errorf("open people: %w", err)
	}
	return &People{conn: c}, nil
}

// Put stores what is known about a person, and returns it with its salt. id is
// random: 1 to 64 letters and digits. [ErrPersonExists] tells that something else
// is stored; repeating a Put with the same salt stores nothing twice.
func (p *People) Put(ctx context.Context, id string, person Person) (Person, error) {
	if len(person.Salt) == 0 {
		person.Salt = make([]byte, saltBytes)
		_, _ = rand.Read(person.Salt) // never fails: crypto/rand ends the process instead
	}
	data, err := encodePerson(id, person)
	if err != nil {
		return Person{}, fmt.Errorf("store person %q: %w", id, err)
	}
	if err := p.put(ctx, id, data); err != nil {
		return Person{}, fmt.Errorf("store person %q: %w", id, err)
	}
	return person, nil
}

func encodePerson(id string, p Person) ([]byte, error) {
	if err := validatePersonID(id); err != nil {
		return nil, err
	}
	if len(p.Salt) != saltBytes {
		return nil, fmt.Errorf("the salt has %d bytes, want %d", len(p.Salt), saltBytes)
	}
	data, err := json.Marshal(storedPerson{peopleVersion, p.Salt, personData{p.Name, p.Subject}})
	if err == nil && len(data) > maxPerson {
		err = fmt.Errorf("it has %d bytes, at most %d are allowed", len(data), maxPerson)
	}
	return data, err
}

func validatePersonID(id string) error {
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	if id == "" || len(id) > 64 || strings.Trim(id, allowed) != "" {
		return errors.New("an id is 1 to 64 letters and digits")
	}
	return nil
}

// put writes a person for the first time, and asks the leader whatever an error
// leaves open.
func (p *People) put(ctx context.Context, id string, data []byte) error {
	m := jetstream.NewOutgoing(personSubject(id), data)
	m.ExpectLastOfSubject(0)
	first := true
	known, err := settle(ctx, p.conn, func() (bool, error) {
		_, err := p.conn.Publish(ctx, m)
		if err == nil || !jetstream.Undecided(err) && (first || !errors.Is(err, flagsync.ErrDiskFull)) {
			return true, err
		}
		first = false
		found, lookup := p.conn.LastMessage(ctx, jetstream.PeopleStream, personSubject(id))
		switch {
		case lookup == nil && string(found.Data) == string(data):
			return true, nil
		case lookup == nil:
			return true, ErrPersonExists
		}
		return false, errors.Join(err, lookup)
	})
	if !known {
		err = fmt.Errorf("%w: %w", ErrUndecided, err)
	}
	return err
}

func personSubject(id string) string { return jetstream.PeopleSubject + "." + id }

// Get returns what is known about a person, [ErrPersonUnknown] if that is
// nothing, or cannot be read.
func (p *People) Get(ctx context.Context, id string) (Person, error) {
	if err := validatePersonID(id); err != nil {
		return Person{}, fmt.Errorf("%w: %w", ErrPersonUnknown, err)
	}
	m, err := p.conn.LastMessage(ctx, jetstream.PeopleStream, personSubject(id))
	if errors.Is(err, jetstream.ErrNoMessage) {
		err = ErrPersonUnknown
	}
	if err != nil {
		return Person{}, fmt.Errorf("read person %q: %w", id, err)
	}
	return decodePerson(m)
}

func decodePerson(m jetstream.Message) (Person, error) {
	var s storedPerson
	if err := json.Unmarshal(m.Data, &s); err != nil || s.Version != peopleVersion || len(s.Salt) != saltBytes {
		return Person{}, fmt.Errorf("%w: %s at %d cannot be read", ErrPersonUnknown, jetstream.PeopleStream, m.Sequence)
	}
	return Person{Name: s.Data.Name, Subject: s.Data.Subject, Salt: s.Salt}, nil
}

// List returns what is known about all persons, by id. What cannot be read is
// left out.
func (p *People) List(ctx context.Context) (map[string]Person, error) {
	info, err := p.conn.Info(ctx, jetstream.PeopleStream)
	if err != nil {
		return nil, fmt.Errorf("list people: %w", err)
	}
	people := make(map[string]Person)
	for next := uint64(1); next <= info.State.LastSequence; {
		m, err := p.conn.Get(ctx, jetstream.PeopleStream, jetstream.MessageRequest{Sequence: next, NextBySubject: jetstream.PeopleSubject + ".>"})
		if errors.Is(err, jetstream.ErrNoMessage) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("list people: %w", err)
		}
		if person, err := decodePerson(m); err == nil {
			people[strings.TrimPrefix(m.Subject, jetstream.PeopleSubject+".")] = person
		}
		next = m.Sequence + 1
	}
	return people, nil
}

// Erase deletes what is known about a person, and has the server overwrite it.
// Erasing a person who is not known does nothing.
func (p *People) Erase(ctx context.Context, id string) error {
	if err := validatePersonID(id); err != nil {
		return fmt.Errorf("erase person %q: %w", id, err)
	}
	for {
		m, err := p.conn.LastMessage(ctx, jetstream.PeopleStream, personSubject(id))
		if errors.Is(err, jetstream.ErrNoMessage) {
			return nil
		}
		if err == nil {
			request := struct {
				Sequence uint64 `json:"seq"`
			}{m.Sequence}
			err = p.conn.Request(ctx, "STREAM.MSG.DELETE."+jetstream.PeopleStream, request, nil)
		}
		if err != nil {
			return fmt.Errorf("erase person %q: %w", id, err)
		}
	}
}
