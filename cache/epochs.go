package cache

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"github.com/flagside/flagside/sync/changelog"
)

// The file of the epochs that were left is the line "flagside epochs 1" and one
// frame, as a tail has them, with an epochList. Versions that do not know it leave
// it alone.
const (
	epochsFile  = "epochs"
	epochsMagic = "flagside epochs 1\n"
	// maxEpochs is how many are remembered, the newest.
	maxEpochs = 16
)

var errEpochsFormat = errors.New("not a list of epochs of a known format")

type epochList struct {
	Environment string            `json:"environment"`
	Left        []changelog.Epoch `json:"left"` // the newest last
}

// leftEpochs are the epochs that were left for another one.
type leftEpochs struct {
	list    []changelog.Epoch // the newest last
	pending bool              // the disk does not have all of them
}

// pass notes that an epoch follows another one, which is "" where nothing was.
func (l *leftEpochs) pass(from, to changelog.Epoch) {
	if from == "" || from == to || slices.Contains(l.list, from) {
		return
	}
	l.list = append(l.list, from)
	l.list = slices.Clone(l.list[max(len(l.list)-maxEpochs, 0):])
	l.pending = true
}

// LeftEpochs returns the epochs that the state was in before it came to another
// one, the newest last, 16 at most. They outlive the process: a log that goes
// back to one of them was restored from an old backup.
func (s *Store) LeftEpochs() []changelog.Epoch {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.left.list)
}

// passEpochs notes the epochs that changes lead through. It is called with mu
// held, before anything of the changes is stored or shown.
func (s *Store) passEpochs(at changelog.Epoch, changes []change) {
	for _, c := range changes {
		s.left.pass(at, c.position.Epoch)
		at = c.position.Epoch
	}
	s.noteEpochs()
}

// noteEpochs writes what the disk does not have yet, and says so where it
// cannot: the next snapshot tries again. It is called with mu held.
func (s *Store) noteEpochs() {
	if s.disk == nil || s.disk.lock == nil {
		return
	}
	if err := s.storeEpochs(); err != nil {
		s.conditions.raise(CodeDiskBehind, err)
	}
}

// storeEpochs writes what the disk does not have yet. It is called with mu held.
func (s *Store) storeEpochs() error {
	if !s.left.pending {
		return nil
	}
	err := s.disk.writeEpochs(s.left.list)
	s.left.pending = err != nil
	return err
}

func (d *disk) writeEpochs(left []changelog.Epoch) error {
	data, err := appendFrame([]byte(epochsMagic), epochList{Environment: d.environment, Left: left})
	if err != nil {
		return err
	}
	err = d.write(epochsFile, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
	if err != nil {
		return err
	}
	return d.publish(epochsFile)
}

// readEpochs returns what an earlier process wrote, nothing if there is no file.
func (d *disk) readEpochs() ([]changelog.Epoch, error) {
	data, err := os.ReadFile(d.path(epochsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	left, err := decodeEpochs(data, d.environment)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", d.path(epochsFile), err)
	}
	return left, nil
}

func decodeEpochs(data []byte, environment string) ([]changelog.Epoch, error) {
	if !bytes.HasPrefix(data, []byte(epochsMagic)) {
		return nil, errEpochsFormat
	}
	var content epochList
	frames := tailReader{data: data, offset: len(epochsMagic)}
	if err := frames.decode(&content); err != nil {
		return nil, err
	}
	switch {
	case frames.more():
		return nil, fmt.Errorf("%w: more than one list", errEpochsFormat)
	case content.Environment != environment:
		return nil, fmt.Errorf("it is a list of environment %q, not of %q", content.Environment, environment)
	case len(content.Left) > maxEpochs:
		return nil, fmt.Errorf("%w: %d epochs, at most %d are written", errEpochsFormat, len(content.Left), maxEpochs)
	}
	for _, epoch := range content.Left {
		if err := epoch.Validate(); err != nil {
			return nil, err
		}
	}
	return content.Left, nil
}
