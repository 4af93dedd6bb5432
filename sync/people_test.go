package flagsync_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"

	"github.com/flagside/flagside/internal/natstest"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/writer"
)

func openPeople(t *testing.T) (*writer.People, *nats.Conn) {
	t.Helper()
	server := natstest.Start(t)
	c := connectWith(t, flagsync.ConnectOptions{Server: server, User: "operator", Password: "operator"})
	people, err := writer.OpenPeople(t.Context(), c, 1)
	if err != nil {
		t.Fatal(err)
	}
	return people, server.Client(t)
}

func TestPeople(t *testing.T) {
	t.Parallel()
	people, client := openPeople(t)
	if _, err := people.Get(t.Context(), "a1"); !errors.Is(err, writer.ErrPersonUnknown) {
		t.Errorf("get before it is put: %v", err)
	}
	want := make(map[string]writer.Person)
	for _, id := range []string{"a1", "b2", "c3"} {
		person, err := people.Put(t.Context(), id, writer.Person{Name: "Name " + id, Subject: "https://issuer " + id})
		if err != nil || len(person.Salt) != 32 {
			t.Fatalf("put %s: %+v, %v", id, person, err)
		}
		want[id] = person
		got, err := people.Get(t.Context(), id)
		if diff := cmp.Diff(person, got); diff != "" || err != nil {
			t.Errorf("get %s: %v (-want +got):\n%s", id, err, diff)
		}
	}
	if _, err := people.Put(t.Context(), "a1", want["a1"]); err != nil {
		t.Errorf("the same again: %v", err)
	}
	if _, err := people.Put(t.Context(), "a1", writer.Person{Name: "other"}); !errors.Is(err, writer.ErrPersonExists) {
		t.Errorf("another person with the id: %v", err)
	}
	for range 2 {
		if err := people.Erase(t.Context(), "b2"); err != nil {
			t.Errorf("erase: %v", err)
		}
	}
	delete(want, "b2")
	store(t, client, &nats.Msg{Subject: "people.junk", Data: []byte("junk")})
	got, err := people.List(t.Context())
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("list: %v (-want +got):\n%s", err, diff)
	}
	for _, id := range []string{"b2", "junk", "", "a.b", "*", ">"} {
		if p, err := people.Get(t.Context(), id); !errors.Is(err, writer.ErrPersonUnknown) {
			t.Errorf("get %q: %+v, %v", id, p, err)
		}
	}
}

// The hash proves what was stored, and says nothing about it without the salt.
func TestPersonHash(t *testing.T) {
	t.Parallel()
	people, _ := openPeople(t)
	one, err := people.Put(t.Context(), "one", writer.Person{Name: "Ada"})
	if err != nil {
		t.Fatal(err)
	}
	two, err := people.Put(t.Context(), "two", writer.Person{Name: "Ada"})
	if err != nil {
		t.Fatal(err)
	}
	first, err := one.Hash()
	second, err2 := two.Hash()
	if err != nil || err2 != nil || first == second || first.IsZero() {
		t.Errorf("hashes %s and %s, %v, %v", first, second, err, err2)
	}
	read, err := people.Get(t.Context(), "one")
	if err != nil {
		t.Fatal(err)
	}
	if again, err := read.Hash(); err != nil || again != first {
		t.Errorf("the hash of what was read is %s, %v, want %s", again, err, first)
	}
	read.Name = "Bob"
	if changed, err := read.Hash(); err != nil || changed == first {
		t.Errorf("the hash of something else is the same: %v", err)
	}
}

func TestPeopleRefuse(t *testing.T) {
	t.Parallel()
	people, _ := openPeople(t)
	for what, c := range map[string]struct {
		id     string
		person writer.Person
	}{
		"no id":        {"", writer.Person{}},
		"a wildcard":   {"*", writer.Person{}},
		"a long id":    {strings.Repeat("x", 65), writer.Person{}},
		"a short salt": {"a", writer.Person{Salt: []byte("x")}},
		"a long name":  {"a", writer.Person{Name: strings.Repeat("x", 16<<10)}},
	} {
		if _, err := people.Put(t.Context(), c.id, c.person); err == nil {
			t.Errorf("%s is taken", what)
		}
	}
	if list, err := people.List(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("list: %v, %v", list, err)
	}
	if err := people.Erase(t.Context(), ">"); err == nil {
		t.Error("everything can be erased at once")
	}
}
