package access_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/trusttest"
	"github.com/flagside/flagside/internal/waiting"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/writer"
)

// installation is where the publishers of a test keep what they know of persons.
type installation struct {
	server    *natstest.Server
	journal   *writer.Ledger
	directory *writer.People
}

func newInstallation(t *testing.T) installation {
	t.Helper()
	server := natstest.Start(t)
	c, err := flagsync.Connect(t.Context(), flagsync.ConnectOptions{
		URL: server.URL(), Keyring: trusttest.Default().PublisherKeyring(), Signer: trusttest.Default().Signer(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	directory, err := writer.OpenPeople(t.Context(), c, 1)
	if err != nil {
		t.Fatal(err)
	}
	return installation{server, openLedger(t, server.URL()), directory}
}

// people returns the persons as a publisher knows them that has just started.
func (i installation) people(t *testing.T) *access.People {
	t.Helper()
	return runPeople(t, i.journal, i.directory)
}

func runPeople(t *testing.T, journal access.Ledger, directory access.Directory) *access.People {
	t.Helper()
	people := access.NewPeople()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- people.Run(ctx, journal, directory) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	waiting.Until(t, "the persons to be read", func() bool {
		_, err := people.List()
		return err == nil
	})
	return people
}

// records returns what CONTROL has about persons.
func (i installation) records(t *testing.T) (all []string) {
	t.Helper()
	for r, err := range i.journal.Read(t.Context(), 1) {
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(r.Body), "person.") {
			all = append(all, string(r.Body))
		}
	}
	return all
}

func ada() access.Principal {
	return access.Principal{Subject: "corp:ada@example.com", Name: "Ada", Kind: access.KindOIDC}
}

func bob() access.Principal {
	return access.Principal{Subject: "corp:bob@example.com", Name: "Bob", Kind: access.KindOIDC}
}

func identify(t *testing.T, people *access.People, who access.Principal) string {
	t.Helper()
	p, err := people.Identify(t.Context(), who)
	if err != nil || p.ID == "" || p.Subject != who.Subject {
		t.Fatalf("%+v, %v", p, err)
	}
	return p.ID
}

// Publishers that meet a person at the same moment agree on one id, which those that start later know too.
func TestPeopleAgree(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	publishers := []*access.People{i.people(t), i.people(t)}
	ids := make([]string, 8)
	var wg sync.WaitGroup
	for n := range ids {
		wg.Go(func() {
			p, err := publishers[n%2].Identify(t.Context(), ada())
			if err != nil {
				t.Error(err)
			}
			ids[n] = p.ID
		})
	}
	wg.Wait()
	for _, id := range append(ids, identify(t, i.people(t), ada())) {
		if id == "" || id != ids[0] {
			t.Errorf("ids %q", ids)
		}
	}
	if identify(t, publishers[0], bob()) == ids[0] {
		t.Error("two persons have one id")
	}
	if all := i.records(t); len(all) != 2 || strings.Contains(strings.Join(all, ""), "ada") {
		t.Errorf("CONTROL has %q", all)
	}
	if stored, err := i.directory.List(t.Context()); len(stored) != 2 || err != nil {
		t.Errorf("PEOPLE has %v, %v", stored, err)
	}
}

// Principals without an issuer keep their ids, and nothing is recorded about them.
func TestOnlyPersonsGetAnID(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	want := access.Principal{ID: "token:ABC", Name: "build", Kind: access.KindToken}
	got, err := i.people(t).Identify(t.Context(), want)
	if err != nil || got.ID != want.ID || len(i.records(t)) != 0 {
		t.Errorf("%+v, %v, %q", got, err, i.records(t))
	}
}

// PEOPLE is not signed, so a forged record there must not turn one person into another.
func TestForgedPeople(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	before := i.people(t)
	adas, bobs := identify(t, before, ada()), identify(t, before, bob())
	genuine, err := i.directory.Get(t.Context(), bobs)
	if err != nil {
		t.Fatal(err)
	}
	forged := `{"v":1,"salt":"` + strings.Repeat("A", 43) + `=","data":{"name":"Bob","subject":"corp bob@example.com"}}`
	store(t, i.server, "people."+adas, forged)
	invented := "INVENTED"
	if _, err := i.directory.Put(t.Context(), invented, genuine); err != nil {
		t.Fatal(err)
	}
	after := i.people(t)
	if id := identify(t, after, bob()); id != bobs {
		t.Errorf("Bob is %q now and was %q", id, bobs)
	}
	if !after.Gone(adas) || after.Gone(bobs) || after.Gone(invented) {
		t.Errorf("gone: Ada %t, Bob %t, an invented one %t", after.Gone(adas), after.Gone(bobs), after.Gone(invented))
	}
	again := identify(t, after, ada())
	if again == adas || again == bobs {
		t.Errorf("Ada is %q, which is no new id", again)
	}
	if person, _ := after.Find(adas); person.Name != "" || person.Subject != "" {
		t.Errorf("forged data is shown: %+v", person)
	}
	waiting.Until(t, "the publisher that knew the former id to take over the new one", func() bool { return before.Gone(adas) })
	if id := identify(t, before, ada()); id != again {
		t.Errorf("publishers call Ada %q and %q", id, again)
	}
}

// store writes into a stream without anybody's permission.
func store(t *testing.T, server *natstest.Server, subject, data string) {
	t.Helper()
	if _, err := server.Client(t).Request(subject, []byte(data), patience); err != nil {
		t.Fatal(err)
	}
}

// A person who was erased is known nowhere any more, and is another one afterwards.
func TestErase(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	here, there := i.people(t), i.people(t)
	adas := identify(t, here, ada())
	bobs := identify(t, here, bob())
	waiting.Until(t, "the other publisher to know Ada", func() bool { _, ok := there.Find(adas); return ok })
	data, err := i.directory.Get(t.Context(), adas)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := i.directory.Put(t.Context(), "LEFTOVER", data); err != nil { // of a publisher that was killed
		t.Fatal(err)
	}
	admin := access.Principal{ID: "token:admin"}
	for _, name := range []string{ada().Subject, adas} {
		if ids, err := here.Erase(t.Context(), admin, name, access.Why{}); err != nil || !strings.Contains(fmt.Sprint(ids), adas) {
			t.Errorf("erase %q: %q, %v", name, ids, err)
		}
	}
	for _, unknown := range []string{ada().Subject, "corp:nobody", "", ":", " "} {
		if ids, err := here.Erase(t.Context(), admin, unknown, access.Why{}); !errors.Is(err, access.ErrPersonUnknown) {
			t.Errorf("erase %q: %q, %v", unknown, ids, err)
		}
	}
	if stored, err := i.directory.List(t.Context()); len(stored) != 1 || err != nil {
		t.Errorf("PEOPLE has %v, %v", stored, err)
	}
	waiting.Until(t, "the other publisher to forget Ada", func() bool { return there.Gone(adas) })
	for _, people := range []*access.People{here, there, i.people(t)} {
		person, ok := people.Find(adas)
		if !ok || person.Name != "" || person.Subject != "" || person.Erased.IsZero() || person.Eraser != admin.ID || people.Gone(bobs) {
			t.Errorf("%+v, %t", person, ok)
		}
	}
	all := i.records(t)
	if len(all) != 3 || !strings.Contains(all[2], `"person.erased"`) || !strings.Contains(all[2], adas) || strings.Contains(strings.Join(all, ""), "Ada") {
		t.Errorf("CONTROL has %q", all)
	}
	if again := identify(t, there, ada()); again == adas {
		t.Error("a person who was erased has the former id again")
	}
}

// forgetful is a journal that fails to record, once.
type forgetful struct {
	access.Ledger

	failed *atomic.Bool
}

func (j forgetful) Append(ctx context.Context, base uint64, opID string, body []byte) (uint64, error) {
	if j.failed.CompareAndSwap(false, true) {
		return 0, flagsync.ErrUnreachable
	}
	return j.Ledger.Append(ctx, base, opID, body)
}

// An erasure that was interrupted is completed by repeating it, through any publisher.
func TestEraseIsCompleted(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	adas := identify(t, i.people(t), ada())
	interrupted := runPeople(t, forgetful{i.journal, new(atomic.Bool)}, i.directory)
	admin := access.Principal{ID: "token:admin"}
	if _, err := interrupted.Erase(t.Context(), admin, ada().Subject, access.Why{}); !errors.Is(err, access.ErrPeopleUnavailable) {
		t.Fatal(err)
	}
	if _, err := i.directory.Get(t.Context(), adas); !errors.Is(err, writer.ErrPersonUnknown) {
		t.Errorf("the data is still there: %v", err)
	}
	after := i.people(t)
	if _, err := after.Erase(t.Context(), admin, adas, access.Why{}); err != nil || len(i.records(t)) != 2 {
		t.Errorf("%v, %q", err, i.records(t))
	}
	waiting.Until(t, "the interrupted publisher to forget Ada", func() bool { return interrupted.Gone(adas) })
}

// unreachable is a directory that can be read or written no more.
type unreachable struct{ access.Directory }

func (unreachable) Put(context.Context, string, writer.Person) (writer.Person, error) {
	return writer.Person{}, flagsync.ErrUnreachable
}

func (unreachable) List(context.Context) (map[string]writer.Person, error) {
	return nil, flagsync.ErrUnreachable
}

// While PEOPLE cannot be reached, known persons stay known and new ones are refused.
func TestPeopleUnreachable(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	adas := identify(t, i.people(t), ada())
	people := runPeople(t, i.journal, unreachable{i.directory})
	if id := identify(t, people, ada()); id != adas {
		t.Errorf("Ada is %q and was %q", id, adas)
	}
	if p, err := people.Identify(t.Context(), bob()); !errors.Is(err, access.ErrPeopleUnavailable) || p.ID != "" {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err := people.Erase(t.Context(), access.Principal{ID: "token:admin"}, adas, access.Why{}); !errors.Is(err, access.ErrPeopleUnavailable) {
		t.Error(err)
	}
	if all := i.records(t); len(all) != 1 {
		t.Errorf("CONTROL has %q", all)
	}
	if people.Gone(adas) {
		t.Error("Ada is gone")
	}
	_, err := access.NewPeople().Identify(cancelled(t), ada())
	if !errors.Is(err, access.ErrPeopleUnavailable) {
		t.Errorf("before anything is connected: %v", err)
	}
}

func cancelled(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

// The author of something that is applied later is asked about as policies know the person, and not at all once erased.
func TestStandingOfPersons(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	people := i.people(t)
	author := access.Principal{ID: identify(t, people, ada()), Kind: access.KindOIDC, Groups: []string{"g"}}
	got, err := people.Standing(author)
	if err != nil || got.PolicyID() != ada().Subject || got.ID != author.ID {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := people.Erase(t.Context(), access.Principal{ID: "token:admin"}, author.ID, access.Why{}); err != nil {
		t.Fatal(err)
	}
	if _, err := people.Standing(author); !errors.Is(err, access.ErrRejected) {
		t.Errorf("an author who was erased: %v", err)
	}
	if _, err := access.NewPeople().Standing(author); !errors.Is(err, access.ErrUnavailable) {
		t.Errorf("before persons were read: %v", err)
	}
}
