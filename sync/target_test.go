package flagsync_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flagside/flagside/document"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/changelog"
)

// mapTarget is the plainest target there is: documents in a map. It checks
// that it is driven as a target may expect.
type mapTarget struct {
	tb testing.TB

	mu        sync.Mutex
	position  changelog.Position
	documents map[document.ID]document.Document
	state     changelog.State
	head      changelog.Head // with its proof
	wrong     bool           // the state digest is to be another one
	compared  int            // calls of StateDigest
	steps     int            // calls of Apply
	synced    int            // calls of Synced
	loads     int            // calls of Load that succeeded
	refuse    error
	delay     time.Duration // of Apply; set before it is followed
}

func newMapTarget(tb testing.TB) *mapTarget {
	tb.Helper()
	return &mapTarget{tb: tb, documents: make(map[document.ID]document.Document)}
}

func (m *mapTarget) Position() changelog.Position {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.position
}

// Head implements flagsync.ProvedTarget.
func (m *mapTarget) Head() changelog.Head {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.head
}

func (m *mapTarget) Apply(txs []changelog.Transaction) error {
	time.Sleep(m.delay)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.refuse != nil {
		return m.refuse
	}
	m.steps++
	for _, tx := range txs {
		m.apply(tx)
	}
	return nil
}

func (m *mapTarget) apply(tx changelog.Transaction) {
	if len(tx) == 0 || tx[0].Index != 1 || len(tx) != tx[0].Count {
		m.tb.Errorf("applied a transaction that is not whole: %d of %d entries", len(tx), tx[0].Count)
	}
	if tx[0].Revision <= m.position.Revision {
		m.tb.Errorf("applied revision %d after %d", tx[0].Revision, m.position.Revision)
	}
	state := m.state.Edit()
	for _, r := range tx {
		if r.Kind == document.KindEpoch {
			continue
		}
		if old, ok := m.documents[r.ID()]; ok {
			state.Remove(old)
			delete(m.documents, r.ID())
		}
		if !r.Delete {
			d := r.Document()
			m.documents[r.ID()] = d
			state.Add(d)
		}
	}
	m.state, m.head = state.State(), tx.Head()
	m.position = m.head.Position
}

func (m *mapTarget) Load(s *changelog.SnapshotReader) error {
	documents, state := make(map[document.ID]document.Document), changelog.State{}.Edit()
	for {
		d, err := s.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("load: %w", err)
		}
		documents[d.ID()] = d
		state.Add(d)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.documents, m.state, m.head = documents, state.State(), s.Header().Head
	m.position, m.wrong = m.head.Position, false
	m.loads++
	return nil
}

func (m *mapTarget) Synced() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.synced++
}

func (m *mapTarget) StateDigest() changelog.Digest {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.compared++
	if m.wrong {
		return changelog.Sum([]byte("another state"))
	}
	return m.state.Digest()
}

// count returns how many documents there are besides the keys note.
func (m *mapTarget) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for id := range m.documents {
		if id.Kind != document.KindKeys {
			n++
		}
	}
	return n
}

func (m *mapTarget) body(key string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return string(bytes.Clone(m.documents[document.ID{Kind: document.KindFlag, Key: key}].Body))
}

func (m *mapTarget) setRefuse(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refuse = err
}

func (m *mapTarget) comparisons() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.compared
}

// setWrong makes the state digest another one until a state is loaded.
func (m *mapTarget) setWrong() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.wrong = true
}

// block makes the target busy until the returned function is called.
func (m *mapTarget) block() (release func()) {
	m.mu.Lock()
	return m.mu.Unlock
}

func (m *mapTarget) loaded() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.loads
}

func (m *mapTarget) syncedTimes() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.synced
}

// adopt gives a connection the keys note that the target holds, as one that was
// read from a disk does.
func (m *mapTarget) adopt(tb testing.TB, c *flagsync.Conn) {
	tb.Helper()
	if text := m.Header().Keys; text != "" {
		if err := c.Keyring().Adopt(text); err != nil {
			tb.Fatal(err)
		}
	}
}

// Header and Write make the target a snapshot that can be published.
func (m *mapTarget) Header() changelog.Header {
	m.mu.Lock()
	defer m.mu.Unlock()
	keys := m.documents[document.ID{Kind: document.KindKeys, Key: document.KeysKey}]
	note, _ := changelog.KeysText(keys.Body) // without one, readers must know who signed
	return changelog.Header{Environment: environment, Head: m.head, Count: len(m.documents), Keys: note}
}

func (m *mapTarget) Write(w io.Writer) error {
	s, err := changelog.NewSnapshotWriter(w, m.Header())
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, id := range slices.SortedFunc(maps.Keys(m.documents), func(a, b document.ID) int { return strings.Compare(a.String(), b.String()) }) {
		if err := s.Write(m.documents[id]); err != nil {
			return err
		}
	}
	return s.Close()
}
