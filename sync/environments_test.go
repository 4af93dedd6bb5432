package flagsync_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/flagside/flagside/internal/trusttest"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/writer"
)

// CONTROL lost what it knew: an environment whose streams are in use is not created over them.
func TestCreateRefusesAForgottenEnvironment(t *testing.T) {
	t.Parallel()
	for name, use := range map[string]func(*log){
		"entries": func(l *log) { l.write(t, put("a", `{"n":1}`)) },
		"records": func(l *log) { fill(t, openLedger(t, l.conn, writer.LedgerOf(environment), 1), 1) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLog(t)
			use(l)
			if answer := api(t, l.server.Client(t), "STREAM.DELETE.CONTROL", nil); answer["error"] != nil {
				t.Fatal(answer["error"])
			}
			e := openEnvironments(t, l.server)
			if _, err := e.Create(t.Context(), environment, writer.Order{Actor: "tester"}); !errors.Is(err, writer.ErrEnvironmentForgotten) {
				t.Errorf("create: %v, want ErrEnvironmentForgotten", err)
			}
			if list, err := e.List(t.Context()); err != nil || len(list) != 0 {
				t.Errorf("list: %v, %v", list, err)
			}
			epoch := l.head(t).Epoch
			if adopted, _, err := e.Adopt(t.Context(), environment, writer.Order{Actor: "operator"}); err != nil || adopted.Epoch != epoch {
				t.Errorf("adopted %+v, %v, want epoch %s", adopted, err, epoch)
			}
			if _, _, err := e.Adopt(t.Context(), environment, writer.Order{Actor: "operator"}); !errors.Is(err, writer.ErrEnvironmentExists) || !strings.HasPrefix(err.Error(), "adopt environment prod: ") {
				t.Errorf("adopted again: %v, want ErrEnvironmentExists of adopt", err)
			}
			if list, err := openEnvironments(t, l.server).List(t.Context()); err != nil || len(list) != 1 {
				t.Errorf("list: %v, %v", list, err)
			}
		})
	}
}

// Streams that hold nothing but noise do not keep an environment from being created.
func TestCreateOverNoise(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	c := l.server.Client(t)
	if answer := api(t, c, "STREAM.DELETE.CONTROL", nil); answer["error"] != nil {
		t.Fatal(answer["error"])
	}
	for _, subject := range []string{"flags.prod.x", "ledger.prod.records", "ledger.prod.x"} {
		store(t, c, &nats.Msg{Subject: subject, Data: []byte("junk")})
	}
	e := openEnvironments(t, l.server)
	for _, msg := range foreignMessages(t, "prod", changelog.Anchor{}, 2) {
		if msg != nil {
			msg.Subject = "control.records"
			store(t, c, msg)
		}
	}
	store(t, c, &nats.Msg{Subject: "control.environment.prod", Data: []byte(`{"v":1,"op":"x","name":"prod"}`)})
	if _, err := e.Create(t.Context(), environment, writer.Order{Actor: "tester"}); err != nil {
		t.Error(err)
	}
	if list, err := openEnvironments(t, l.server).List(t.Context()); err != nil || len(list) != 1 {
		t.Errorf("list: %v, %v", list, err)
	}
}

// What one publisher does, the list of another shows, although CONTROL holds other records too.
func TestEnvironmentsOfTwoPublishers(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	one, two := openEnvironments(t, l.server), openEnvironments(t, l.server)
	tokens := openLedger(t, l.conn, writer.ControlLedger(), 1)
	for i, name := range []string{"dev", "staging"} {
		records(t, tokens, 0)
		if _, err := tokens.Append(t.Context(), tokens.Head().Sequence, "token"+name, []byte(`{"type":"token.created","name":7}`)); err != nil {
			t.Fatal(err)
		}
		if _, err := one.Create(t.Context(), name, writer.Order{Actor: "tester"}); err != nil {
			t.Fatal(err)
		}
		if list, err := two.List(t.Context()); err != nil || len(list) != i+2 {
			t.Errorf("after %s: %v, %v", name, list, err)
		}
	}
	if _, err := two.Archive(t.Context(), "dev", writer.Order{Actor: "tester"}); err != nil {
		t.Fatal(err)
	}
	list, err := one.List(t.Context())
	if err != nil || len(list) != 3 || list[0].Archived.IsZero() || !list[2].Archived.IsZero() {
		t.Errorf("%+v, %v, want dev archived", list, err)
	}
	for again := range 2 {
		record, err := one.Revive(t.Context(), "dev", writer.Order{Actor: "tester"})
		if err != nil || record.IsZero() != (again > 0) {
			t.Errorf("revived: %+v, %v", record, err)
		}
		if list, err := two.List(t.Context()); err != nil || !list[0].Archived.IsZero() {
			t.Errorf("%+v, %v, want dev in use", list, err)
		}
	}
	if record, err := two.Archive(t.Context(), "dev", writer.Order{Actor: "tester"}); err != nil || record.IsZero() {
		t.Errorf("archived again: %+v, %v", record, err)
	}
	if _, err := two.Revive(t.Context(), "none", writer.Order{Actor: "tester"}); !errors.Is(err, flagsync.ErrEnvironmentUnknown) {
		t.Errorf("one that there is not: %v", err)
	}
}

// rotated returns a keys note of the next version, which lists a new key only, and that key.
func rotated(tb testing.TB, keys trusttest.Keys) (changelog.KeysNote, *changelog.Signer) {
	tb.Helper()
	secret, public, err := changelog.GenerateKey(keys.Installation)
	if err != nil {
		tb.Fatal(err)
	}
	signer, err := changelog.NewSigner(secret)
	if err != nil {
		tb.Fatal(err)
	}
	note, err := changelog.NewKeysNote(keys.Installation, keys.Note.Version+1, keys.Root, public)
	if err != nil {
		tb.Fatal(err)
	}
	return note, signer
}

// A newer keys note is written into CONTROL, once, so that those who come later can prove what older keys signed.
func TestControlSurvivesARotation(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	keys := trusttest.Default()
	note, signer := rotated(t, keys)
	ring := keys.PublisherKeyring()
	later := connectWith(t, flagsync.ConnectOptions{URL: l.server.URL(), Keyring: ring, Signer: signer})
	e, err := writer.OpenEnvironments(t.Context(), later, 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.List(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := e.Ledger().Head()
	if err := ring.Adopt(note.Text); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if list, err := e.List(t.Context()); err != nil || len(list) != 1 {
			t.Fatalf("list: %v, %v", list, err)
		}
	}
	if head := e.Ledger().Head(); head.Sequence != before.Sequence+1 {
		t.Errorf("the head moved from %s to %s, want one record", before, head)
	}
	fresh := keys.Keyring()
	if err := fresh.Adopt(note.Text); err != nil {
		t.Fatal(err)
	}
	for what, ring := range map[string]*changelog.Keyring{"the new note": fresh, "the old note": keys.PublisherKeyring()} {
		cold := connectWith(t, flagsync.ConnectOptions{URL: l.server.URL(), Keyring: ring})
		e, err := writer.OpenEnvironments(t.Context(), cold, 1)
		if err != nil {
			t.Fatal(err)
		}
		if list, err := e.List(t.Context()); err != nil || len(list) != 1 {
			t.Errorf("with %s: %v, %v", what, list, err)
		}
		if ring.Note().Version != note.Version {
			t.Errorf("with %s: version %d counts", what, ring.Note().Version)
		}
	}
	if _, err := openEnvironments(t, l.server).Create(t.Context(), "dev", writer.Order{Actor: "tester"}); !errors.Is(err, writer.ErrKeyRetired) {
		t.Errorf("a publisher with the old key creates an environment: %v", err)
	}
}

// List does not wait for a Create that takes long for longer than it may.
func TestListEndsWithItsContext(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	e := openEnvironments(t, l.server)
	ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	if _, err := e.List(ctx); !errors.Is(err, flagsync.ErrUnreachable) {
		t.Errorf("list: %v, want ErrUnreachable", err)
	}
}
