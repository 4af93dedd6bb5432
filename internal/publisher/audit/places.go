package audit

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sort"

	"github.com/flagside/flagside/sync/changelog"
)

const (
	// placeBytes is the size of a place in a file: its sequence and its digest.
	placeBytes = 8 + len(changelog.Digest{})
	// recentPlaces is how many places are kept in memory, 2.6 MB. Older ones go to a temporary file.
	recentPlaces = 64 << 10
)

// place is a record of a stream.
type place struct {
	sequence uint64
	digest   changelog.Digest
}

// places are the records of a stream by their sequences, in ascending order: the newest in memory, older ones in a temporary file. The zero
// value is empty. close removes the file.
type places struct {
	dir    string // of the file; "" is that of the system
	recent []place
	file   *os.File // nil until it is needed
	filed  int      // how many places it has
}

func (p *places) count() int { return p.filed + len(p.recent) }

func (p *places) add(sequence uint64, digest changelog.Digest) error {
	if len(p.recent) == recentPlaces {
		if err := p.spill(); err != nil {
			return fmt.Errorf("a temporary file for what was verified: %w", err)
		}
	}
	p.recent = append(p.recent, place{sequence, digest})
	return nil
}

// spill moves what is in memory to the file.
func (p *places) spill() (err error) {
	if p.file == nil {
		if p.file, err = os.CreateTemp(p.dir, ".flagside-audit-*"); err != nil {
			return err
		}
	}
	data := make([]byte, 0, len(p.recent)*placeBytes)
	for _, at := range p.recent {
		data = append(binary.BigEndian.AppendUint64(data, at.sequence), at.digest[:]...)
	}
	if _, err := p.file.WriteAt(data, int64(p.filed)*int64(placeBytes)); err != nil {
		return err
	}
	p.filed, p.recent = p.filed+len(p.recent), p.recent[:0]
	return nil
}

// digest returns the digest of the record with a sequence, if there is one.
func (p *places) digest(sequence uint64) (digest changelog.Digest, found bool, err error) {
	at := func(i int) (found place) {
		if i >= p.filed {
			return p.recent[i-p.filed]
		}
		var data [placeBytes]byte
		if _, failed := p.file.ReadAt(data[:], int64(i)*int64(placeBytes)); failed != nil {
			err = errors.Join(err, failed)
		}
		found.sequence = binary.BigEndian.Uint64(data[:])
		copy(found.digest[:], data[8:])
		return found
	}
	// Where nothing is missing the record stands where its number says, and there is nothing to search.
	i := p.count()
	if n := sequence - 1; n < uint64(i) && at(int(n)).sequence == sequence {
		i = int(n)
	} else {
		i = sort.Search(i, func(i int) bool { return at(i).sequence >= sequence })
	}
	if err != nil || i == p.count() {
		return digest, false, err
	}
	entry := at(i)
	return entry.digest, entry.sequence == sequence, err
}

// close removes the file.
func (p *places) close() error {
	if p.file == nil {
		return nil
	}
	return errors.Join(p.file.Close(), os.Remove(p.file.Name()))
}
