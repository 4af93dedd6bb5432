package cache

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/flagside/flagside/sync/changelog"
)

// Restore loads what an earlier process left in the directory and returns
// [SourceDisk], or [SourceEmpty] if there is nothing that can be believed. Files
// that cannot be believed are a condition; they are renamed and not read again.
// It fails when there is a View already.
func (s *Store) Restore() (Source, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.view.Load() != nil || s.next != nil {
		return s.Source(), errors.New("restore: a state is served already")
	}
	if s.disk == nil {
		return SourceEmpty, nil
	}
	var damaged []string
	report := func(suffix string, err error) {
		s.conditions.raise(CodeDiskDamaged, err)
		if _, unreadable := errors.AsType[*fs.PathError](err); !unreadable {
			damaged = append(damaged, suffix)
		}
	}
	r := s.disk.restore(report)
	if r.view != nil {
		s.swap(r.view)
		s.setSource(SourceDisk)
		s.pending.stored = r.snapshot
		s.estimateAge(r.view.Position())
	}
	if s.disk.lock != nil {
		s.tidy(r, damaged)
	}
	return s.Source(), nil
}

// tidy leaves the files so that changes can be appended, and puts the bad ones
// aside.
func (s *Store) tidy(r restored, damaged []string) {
	tailDamaged := false
	for _, suffix := range damaged {
		if suffix == tailFile || suffix == tailPreviousFile {
			tailDamaged = true
			continue
		}
		s.putAside(suffix)
	}
	if r.view == nil {
		return
	}
	if r.continued && s.disk.continueTail(r.tailEnd) == nil {
		if r.view.Position() != r.snapshot {
			s.pending.begin()
		}
		return
	}
	s.store(r.view)
	if tailDamaged && s.disk.tail != nil {
		// What stands in front of the damage is in the new snapshot by now, and
		// the new tail has taken the place of the bad one.
		s.putAside(tailPreviousFile)
	}
}

func (s *Store) putAside(suffix string) {
	path, err := s.disk.quarantine(suffix)
	if err != nil {
		s.conditions.raise(CodeDiskDamaged, fmt.Errorf("move a damaged file aside: %w", err))
		return
	}
	s.logger.Warn().Str("path", path).Msg("damaged file moved aside")
}

// LoadBootstrap loads the file that was shipped with the process, a flagd
// document or a snapshot, if there is nothing better: with a View it does
// nothing. A flagd document has no place in a history, so its View has a zero
// position and is replaced as a whole by what the log says.
func (s *Store) LoadBootstrap(path string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.view.Load() != nil {
		return nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("bootstrap file: %w", err)
	}
	v, err := s.bootstrapView(data)
	if err != nil && mayBeYAML(path, data) {
		return fmt.Errorf("bootstrap file %[1]s: %[2]w (if it is YAML, convert it to JSON with: flagside convert %[1]s)", path, err)
	}
	if err != nil {
		return fmt.Errorf("bootstrap file %s: %w", path, err)
	}
	s.swap(v)
	s.setSource(SourceBootstrap)
	return nil
}

// mayBeYAML reports whether a file that cannot be used is one that people wrote in YAML, which is not read here: it would be in every sidecar.
func mayBeYAML(path string, data []byte) bool {
	extension := strings.ToLower(filepath.Ext(path))
	return extension == ".yaml" || extension == ".yml" || !changelog.IsSnapshot(data) && !bytes.HasPrefix(bytes.TrimSpace(data), []byte("{"))
}

func (s *Store) bootstrapView(data []byte) (*View, error) {
	if changelog.IsSnapshot(data) {
		if s.keys == nil {
			return nil, errors.New("it is a snapshot, which needs root keys to verify it: give --trust-file or --credentials")
		}
		loaded, err := decodeSnapshot(bytes.NewReader(data), s.environment, s.keys)
		if err == nil {
			err = loaded.prove(s.keys, s.environment)
		}
		if err != nil {
			return nil, err
		}
		return compile(s.empty, loaded, nil), nil
	}
	documents, problems := s.empty.rules.ParseFile(data, s.compatibility)
	if err := problems.Err(); err != nil {
		return nil, err
	}
	d := newDraft(emptyState())
	for _, doc := range documents {
		d.put(doc)
	}
	return compile(s.empty, d.freeze(), nil), nil
}
