package bucket_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/trusttest"
	"github.com/flagside/flagside/internal/waiting"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/bucket"
)

// connect returns a connection with the permissions that a publisher has on a server of an operator.
func connect(t *testing.T, url string) *flagsync.Conn {
	t.Helper()
	c, err := flagsync.Connect(t.Context(), flagsync.ConnectOptions{
		URL: url, Name: t.Name(), Keyring: trusttest.Default().PublisherKeyring(), Signer: trusttest.Default().Signer(), Logger: zerolog.Nop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func options(values int64) bucket.Options {
	return bucket.Options{Stream: flagsync.SessionsStream, Subject: flagsync.SessionsSubject, Replicas: 1, Values: values, ValueBytes: 4096}
}

func open(t *testing.T, url string, o bucket.Options) *bucket.Bucket {
	t.Helper()
	b, err := bucket.Open(t.Context(), connect(t, url), o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func create(t *testing.T, b *bucket.Bucket, key, text string, expires time.Duration) {
	t.Helper()
	if err := b.Create(t.Context(), bucket.Value{Key: key, Data: []byte(text)}, expires); err != nil {
		t.Fatal(err)
	}
}

// listed returns the keys that match.
func listed(t *testing.T, b *bucket.Bucket, key string) (keys []string) {
	t.Helper()
	all, err := b.List(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range all {
		keys = append(keys, v.Key+"="+string(v.Data))
	}
	return keys
}

// What one publisher stores, another one finds, lists and takes out, with the permissions that publishers have.
func TestValuesAreShared(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	one, other := open(t, server.URL(), options(10)), open(t, server.URL(), options(10))
	create(t, one, "a.ada", "1", time.Hour)
	create(t, one, "b.bo", "2", time.Hour)
	create(t, other, "c.ada", "3", time.Hour)

	if found, err := other.Get(t.Context(), "a.*"); err != nil || found.Key != "a.ada" || string(found.Data) != "1" {
		t.Errorf("%+v, %v", found, err)
	}
	if diff := cmp.Diff([]string{"a.ada=1", "c.ada=3"}, listed(t, one, "*.ada")); diff != "" {
		t.Error(diff)
	}
	if err := one.Create(t.Context(), bucket.Value{Key: "a.ada", Data: []byte("4")}, time.Hour); !errors.Is(err, bucket.ErrExists) {
		t.Errorf("the same key again: %v", err)
	}
	if err := other.Remove(t.Context(), "a.ada"); err != nil {
		t.Fatal(err)
	}
	if _, err := one.Get(t.Context(), "a.*"); !errors.Is(err, bucket.ErrNotFound) {
		t.Errorf("what was taken out: %v", err)
	}
	if diff := cmp.Diff([]string{"b.bo=2", "c.ada=3"}, listed(t, one, ">")); diff != "" {
		t.Error(diff)
	}
	if _, err := one.Get(t.Context(), "none.*"); !errors.Is(err, bucket.ErrNotFound) {
		t.Errorf("what never was: %v", err)
	}
}

// A value goes when its time is over, and makes room for another. One that is taken out needs no room.
func TestValuesExpireAndAreBounded(t *testing.T) {
	t.Parallel()
	b := open(t, natstest.Start(t).URL(), options(2))
	create(t, b, "short.x", "1", time.Second)
	create(t, b, "long.x", "2", time.Hour)
	third := bucket.Value{Key: "third.x", Data: []byte("3")}
	if err := b.Create(t.Context(), third, time.Hour); !errors.Is(err, bucket.ErrFull) {
		t.Errorf("a third value: %v", err)
	}
	if err := b.Remove(t.Context(), "long.x"); err != nil {
		t.Errorf("taken out of a full one: %v", err)
	}
	waiting.Until(t, "there is room again", func() bool { return b.Create(t.Context(), third, time.Hour) == nil })
	if _, err := b.Get(t.Context(), "short.*"); !errors.Is(err, bucket.ErrNotFound) {
		t.Errorf("what has expired: %v", err)
	}
	if err := b.Create(t.Context(), bucket.Value{Key: "large.x", Data: []byte(strings.Repeat("x", 6000))}, time.Hour); err == nil {
		t.Error("a value that is too large was stored")
	}
	if err := b.Create(t.Context(), bucket.Value{Key: "empty.x"}, time.Hour); err == nil {
		t.Error("an empty value was stored")
	}
}

func TestOptionsAreRequired(t *testing.T) {
	t.Parallel()
	conn := connect(t, natstest.Start(t).URL())
	if _, err := bucket.Open(t.Context(), conn, bucket.Options{Stream: "SESSIONS"}); err == nil {
		t.Error("a bucket without a subject was opened")
	}
}
