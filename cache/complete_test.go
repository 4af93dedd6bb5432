package cache

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// completed returns a directory whose state was complete at a moment.
func completed(t *testing.T, at time.Time) string {
	t.Helper()
	dir := t.TempDir()
	s, h := liveStore(t, dir)
	apply(t, s, h.commit(t, flag("a", 1)))
	s.Complete(at)
	ctx, end := context.WithCancel(t.Context())
	end()
	if err := s.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if _, known := s.EstimatedAge(); known {
		t.Error("the age of what was not restored is estimated")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// estimated returns the estimate of a store that restores what is in a directory.
func estimated(t *testing.T, dir string) (s *Store, age time.Duration, known bool) {
	t.Helper()
	s = openStore(t, dir)
	if source, err := s.Restore(); source != SourceDisk || err != nil || len(s.Problems()) > 0 {
		t.Fatalf("restored %s, %v, %v", source, err, s.Problems())
	}
	age, known = s.EstimatedAge()
	return s, age, known
}

func TestTheAgeOutlivesTheProcess(t *testing.T) {
	_, age, known := estimated(t, completed(t, time.Now().Add(-time.Hour)))
	if !known || age < time.Hour || age > time.Hour+time.Minute {
		t.Errorf("an hour later: %s, known %t", age, known)
	}
}

// A clock that went back between two processes makes the state as young as the second of them, and not younger.
func TestAClockThatWentBackMakesNothingYounger(t *testing.T) {
	dir := completed(t, time.Now().Add(24*time.Hour))
	before := time.Now()
	s, age, known := estimated(t, dir)
	if !known || age < 0 || age > time.Since(before) {
		t.Errorf("of tomorrow: %s, known %t", age, known)
	}
	time.Sleep(time.Millisecond)
	if later, _ := s.EstimatedAge(); later <= age || later < time.Since(s.began)-time.Second {
		t.Errorf("%s, and later %s", age, later)
	}
}

// What is restored may be less than what was complete.
func TestAnOlderStateWasNotComplete(t *testing.T) {
	dir := t.TempDir()
	s, h := liveStore(t, dir)
	apply(t, s, h.commit(t, flag("a", 1)))
	s.rewrite()
	apply(t, s, h.commit(t, flag("a", 2)))
	s.Complete(time.Now())
	s.writeComplete()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(dir, "prod.tail"), 0); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, dir)
	if source, err := s.Restore(); source != SourceDisk || err != nil {
		t.Fatalf("restored %s, %v", source, err)
	}
	if age, known := s.EstimatedAge(); known {
		t.Errorf("the age is %s", age)
	}
}

func TestAnUnreadableMomentIsNotKnown(t *testing.T) {
	for _, content := range []string{"", "{", "{}", `{"at":"2020-01-01T00:00:00Z"}`, `{"at":7}`, "\x00\x00\x00"} {
		dir := completed(t, time.Now())
		if err := os.WriteFile(filepath.Join(dir, "prod.complete"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, age, known := estimated(t, dir); known {
			t.Errorf("%q: the age is %s", content, age)
		}
	}
}

// A process that never has the complete state leaves the moment as it is, however often it restarts.
func TestTheMomentIsKeptUntilThereIsAnother(t *testing.T) {
	dir := completed(t, time.Now().Add(-time.Hour))
	for range 3 {
		s, age, known := estimated(t, dir)
		if !known || age < time.Hour {
			t.Errorf("%s, known %t", age, known)
		}
		ctx, end := context.WithCancel(t.Context())
		end()
		if err := s.Run(ctx); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s, _, _ := estimated(t, dir)
	s.Synced()
	s.Complete(time.Now())
	s.writeComplete()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, age, known := estimated(t, dir); !known || age > time.Minute {
		t.Errorf("complete again: %s, known %t", age, known)
	}
}
