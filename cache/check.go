package cache

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// probeFile is written and removed again by Check.
const probeFile = "probe"

// Check reports why a process could not keep its files in o.Dir, or could not
// begin with a bootstrap file; the path of that is empty when there is none. It
// creates the directory as [New] does, and leaves its files alone. That another
// process uses them shows that the directory can be used.
func Check(o Options, bootstrap string) error {
	s, err := New(o)
	switch {
	case errors.Is(err, ErrLocked):
		o.Dir = ""
		return Check(o, bootstrap)
	case err != nil:
		return err
	}
	if bootstrap != "" {
		err = s.LoadBootstrap(bootstrap)
	}
	return errors.Join(s.probe(), err, s.Close())
}

// probe writes something to the directory.
func (s *Store) probe() error {
	for _, c := range s.Problems() {
		return errors.New(c.Detail)
	}
	if s.disk == nil {
		return nil
	}
	err := s.disk.write(probeFile, func(w io.Writer) error {
		_, err := w.Write(make([]byte, 4096)) // more than a file system with no room left takes
		return err
	})
	if err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	return os.Remove(s.disk.path(probeFile + unfinished))
}
