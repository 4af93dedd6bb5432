package cache

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flagside/flagside/sync/changelog"
)

const flagdFile = `{"flags": {
	"a": {"state": "ENABLED", "variants": {"v": 1}, "defaultVariant": "v"},
	"b": {"state": "ENABLED", "variants": {"v": 2}, "defaultVariant": "v"}
}}`

func TestBootstrapFromFlagdFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "flags.json")
	writeFile(t, dir, "flags.json", []byte(flagdFile))
	s := openStore(t, dir)
	if err := s.LoadBootstrap(path); err != nil {
		t.Fatal(err)
	}
	if s.Source() != SourceBootstrap || s.View().Count() != 2 || s.View().Rules().Len() != 2 {
		t.Fatalf("%d documents from %s", s.View().Count(), s.Source())
	}
	if !s.Position().IsZero() || !s.StateDigest().IsZero() || !s.View().Position().IsZero() {
		t.Errorf("a flagd file has the position %v, state digest %s", s.Position(), s.StateDigest())
	}
	if err := s.View().Write(&bytes.Buffer{}); err == nil {
		t.Error("a snapshot without a position was written")
	}
	s.Synced()
	if s.Source() != SourceBootstrap {
		t.Errorf("source %s after nothing was applied", s.Source())
	}

	h, begin := newHistory(t)
	apply(t, s, begin)
	apply(t, s, h.commit(t, flag("b", 3)))
	if s.View().Count() != 2 {
		t.Error("the log is shown before it is complete")
	}
	s.Synced()
	checkView(t, s.View(), h)
	checkRules(t, s.View(), h)
	s.rewrite()
	checkView(t, restart(t, s).View(), h)
}

func TestBootstrapFromSnapshot(t *testing.T) {
	dir := t.TempDir()
	h, _ := newHistory(t)
	h.commit(t, flag("a", 1))
	writeFile(t, dir, "bundle", h.snapshot(t))
	s := openStore(t, dir)
	if err := s.LoadBootstrap(filepath.Join(dir, "bundle")); err != nil {
		t.Fatal(err)
	}
	checkView(t, s.View(), h)
	apply(t, s, h.commit(t, flag("a", 2)))
	checkView(t, s.View(), h)
	if s.Source() != SourceBootstrap || s.Position() != h.head.Position {
		t.Errorf("position %v from %s", s.Position(), s.Source())
	}
	s.rewrite()
	checkView(t, restart(t, s).View(), h)
}

func TestBootstrapIsTheLastResort(t *testing.T) {
	dir := t.TempDir()
	s, h := liveStore(t, dir)
	writeFile(t, dir, "flags.json", []byte(flagdFile))
	s = restart(t, s)
	if err := s.LoadBootstrap(filepath.Join(dir, "flags.json")); err != nil {
		t.Fatal(err)
	}
	checkView(t, s.View(), h)
	if s.Source() != SourceDisk {
		t.Errorf("source %s, want disk", s.Source())
	}
}

func TestBootstrapRefuses(t *testing.T) {
	h, _ := newHistory(t)
	h.environment = "staging"
	foreign := h.snapshot(t)
	for name, data := range map[string][]byte{
		"no JSON":                []byte("flags"),
		"snapshot of a newer":    []byte("flagside snapshot 99\n"),
		"another environment's":  foreign,
		"half a snapshot":        foreign[:len(foreign)/2],
		"a snapshot, nearly all": foreign[:len(foreign)-1],
	} {
		dir := t.TempDir()
		writeFile(t, dir, "file", data)
		s := openStore(t, "")
		if err := s.LoadBootstrap(filepath.Join(dir, "file")); err == nil {
			t.Errorf("%s: was loaded", name)
		}
		if s.View() != nil || s.Source() != SourceEmpty {
			t.Errorf("%s: View %v from %s", name, s.View(), s.Source())
		}
	}
	if err := openStore(t, "").LoadBootstrap(filepath.Join(t.TempDir(), "absent")); err == nil {
		t.Error("a file that does not exist was loaded")
	}
}

// A file in YAML is refused with the command that makes JSON of it, and JSON that is wrong without.
func TestBootstrapInYAML(t *testing.T) {
	for name, test := range map[string]struct {
		content string
		hint    bool
	}{
		"flags.yaml": {"flags: {}\n", true}, "flags": {"# none\nflags: {}\n", true}, "flags.json": {`{"flags":`, false},
	} {
		dir := t.TempDir()
		writeFile(t, dir, name, []byte(test.content))
		file := filepath.Join(dir, name)
		err := openStore(t, "").LoadBootstrap(file)
		if err == nil || strings.Contains(err.Error(), "flagside convert "+file) != test.hint {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestViewWritesWhatCanBeRead(t *testing.T) {
	s, h := liveStore(t, "")
	apply(t, s, h.commit(t, flag("a", 1), flag("b", 2)))
	var b bytes.Buffer
	if err := s.View().Write(&b); err != nil {
		t.Fatal(err)
	}
	if !changelog.IsSnapshot(b.Bytes()) {
		t.Errorf("it begins with %q", b.Bytes()[:20])
	}
	other := openStore(t, "")
	load(t, other, b.Bytes())
	other.Synced()
	checkView(t, other.View(), h)
}
