package audit

import (
	"encoding/binary"
	"os"
	"testing"

	"github.com/flagside/flagside/sync/changelog"
)

// Places are found, and others are not, whether they are in memory or in the file, with gaps and without.
func TestPlaces(t *testing.T) {
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	digest := func(sequence uint64) changelog.Digest {
		return changelog.Sum(binary.BigEndian.AppendUint64(nil, sequence))
	}
	for name, step := range map[string]uint64{"without gaps": 1, "with gaps": 3} {
		var p places
		const count = 2*recentPlaces + 100
		for i := range uint64(count) {
			if err := p.add(1+i*step, digest(1+i*step)); err != nil {
				t.Fatal(err)
			}
		}
		if p.count() != count || p.filed != 2*recentPlaces {
			t.Errorf("%s: %d places, %d in the file", name, p.count(), p.filed)
		}
		for _, sequence := range []uint64{1, 4, 1 + step*(recentPlaces-1), 1 + step*recentPlaces, 1 + step*(count-1)} {
			if got, found, err := p.digest(sequence); err != nil || !found || got != digest(sequence) {
				t.Errorf("%s: %d is found %v, %v", name, sequence, found, err)
			}
		}
		for _, sequence := range []uint64{0, 1 + step*count, 1 << 63} {
			if _, found, err := p.digest(sequence); found || err != nil {
				t.Errorf("%s: %d is found %v, %v", name, sequence, found, err)
			}
		}
		if _, found, err := p.digest(3); found != (step == 1) || err != nil {
			t.Errorf("%s: 3 is found %v, %v", name, found, err)
		}
		if err := p.close(); err != nil {
			t.Error(err)
		}
	}
	if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
		t.Errorf("%d files are left, %v", len(left), err)
	}
	t.Setenv("TMPDIR", temporary+"/none")
	var p places
	var err error
	for i := uint64(1); err == nil && i < 2*recentPlaces; i++ {
		err = p.add(i, digest(i))
	}
	if err == nil {
		t.Error("a directory for temporary files that does not exist is not noticed")
	}
}
