package reload_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/logtest"
	"github.com/flagside/flagside/internal/reload"
)

const interval = 2 * time.Second

var errEmpty = errors.New("it is empty")

// place is a file of words and what is logged about it.
type place struct {
	path string
	logs logtest.Log
}

func newPlace(t *testing.T, text string) *place {
	t.Helper()
	p := &place{path: filepath.Join(t.TempDir(), "word")}
	p.write(t, text)
	return p
}

func (p *place) write(t *testing.T, text string) {
	t.Helper()
	if err := os.WriteFile(p.path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (p *place) options() reload.Options[string] {
	return reload.Options[string]{
		Subject: "the word", Interval: interval, Load: p.load, Logger: zerolog.New(&p.logs),
		Equal: func(a, b string) bool { return a == b },
	}
}

func (p *place) load() (string, error) {
	text, err := os.ReadFile(p.path)
	switch {
	case err != nil:
		return "", err
	case len(text) == 0:
		return "", errEmpty
	case string(text) == "unchanged":
		return "", reload.ErrUnchanged
	}
	return string(text), nil
}

// steps changes the file, lets look, and checks what is in use, why nothing newer is, and the one line that is logged.
func steps(t *testing.T, p *place, f *reload.File[string], look func()) {
	t.Helper()
	for _, step := range []struct {
		name, text, current, failure, logged string
	}{
		{"the same", "first", "first", "", ""},
		{"another", "second", "second", "", "read the word"},
		{"empty", "", "second", "it is empty", "the word cannot be used, the last good content stays in use"},
		{"still empty", "", "second", "it is empty", ""},
		{"nothing to say of a failure", "unchanged", "second", "it is empty", ""},
		{"mended as it was", "second", "second", "", "read the word"},
		{"nothing to say", "unchanged", "second", "", ""},
		{"empty again", "", "second", "it is empty", "cannot be used"},
		{"gone", "-", "second", "no such file", "no such file"},
		{"mended as another", "third", "third", "", "read the word"},
	} {
		if step.text == "-" {
			if err := os.Remove(p.path); err != nil {
				t.Fatal(err)
			}
		} else {
			p.write(t, step.text)
		}
		look()
		if got := f.Current(); got != step.current {
			t.Errorf("%s: %q is in use, want %q", step.name, got, step.current)
		}
		if err := f.Err(); (err == nil) != (step.failure == "") || err != nil && !strings.Contains(err.Error(), step.failure) {
			t.Errorf("%s: failed with %v, want %q", step.name, err, step.failure)
		}
		got := p.logs.Take()
		if n := strings.Count(got, "\n"); !strings.Contains(got, step.logged) || (n == 0) != (step.logged == "") || n > 1 {
			t.Errorf("%s: logged %q, want one line with %q", step.name, got, step.logged)
		}
	}
}

func opened(t *testing.T, p *place) *reload.File[string] {
	t.Helper()
	f, err := reload.Open(p.options())
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestTheLastGoodContentStays(t *testing.T) {
	t.Parallel()
	p := newPlace(t, "first")
	f := opened(t, p)
	steps(t, p, f, f.Look)
}

func TestRunLooksAgainAndAgain(t *testing.T) {
	t.Parallel()
	p := newPlace(t, "first")
	synctest.Test(t, func(t *testing.T) {
		f := opened(t, p)
		go func() { _ = f.Run(t.Context()) }()
		time.Sleep(time.Millisecond) // so that no look is at the moment at which one is checked
		steps(t, p, f, func() {
			time.Sleep(interval)
			synctest.Wait()
		})
	})
}

func TestFreshLooksWhenItIsTime(t *testing.T) {
	t.Parallel()
	p := newPlace(t, "first")
	synctest.Test(t, func(t *testing.T) {
		f := opened(t, p)
		steps(t, p, f, func() {
			time.Sleep(interval)
			f.Fresh()
		})
		p.write(t, "fourth")
		time.Sleep(interval - time.Nanosecond)
		if got := f.Fresh(); got != "third" {
			t.Errorf("%q before the interval is over", got)
		}
		time.Sleep(time.Nanosecond)
		if got := f.Fresh(); got != "fourth" {
			t.Errorf("%q when the interval is over", got)
		}
	})
}

// A content that is the same stays the same object, for what hangs on it.
func TestTheSameContentStaysInUse(t *testing.T) {
	t.Parallel()
	f, err := reload.Open(reload.Options[*string]{
		Load:  func() (*string, error) { return new("same"), nil },
		Equal: func(a, b *string) bool { return *a == *b },
	})
	if err != nil {
		t.Fatal(err)
	}
	first := f.Current()
	if f.Look(); f.Current() != first {
		t.Error("the same content was replaced")
	}
}

func TestOpenFailsWithoutAContent(t *testing.T) {
	t.Parallel()
	p := newPlace(t, "")
	if _, err := reload.Open(p.options()); !errors.Is(err, errEmpty) {
		t.Errorf("an empty file: %v", err)
	}
	if got := p.logs.Take(); got != "" {
		t.Errorf("it is logged, too: %s", got)
	}
}

// Loads never overlap, anyone who looks, and readers do not wait for them.
func TestLooksDoNotOverlap(t *testing.T) {
	t.Parallel()
	loading := make(chan struct{}, 1)
	release := make(chan struct{})
	f := reload.New(reload.Options[int]{
		Load: func() (int, error) {
			select {
			case loading <- struct{}{}:
			default:
				t.Error("two loads at once")
			}
			<-release
			<-loading
			return 2, nil
		},
		Equal: func(a, b int) bool { return a == b },
	}, 1)
	var looks sync.WaitGroup
	for range 4 {
		looks.Go(f.Look)
	}
	if got := f.Current(); got != 1 {
		t.Errorf("%d is in use while another content is loaded", got)
	}
	close(release)
	looks.Wait()
	if got := f.Current(); got != 2 {
		t.Errorf("%d is in use in the end", got)
	}
}
