package flagsync_test

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/flagside/flagside/sync/changelog"
)

// modelTarget compares each step with the logs that there were.
type modelTarget struct {
	t     *testing.T
	world *world

	mu        sync.Mutex
	position  changelog.Position
	documents map[changelog.ID]changelog.Document
	refuse    bool
	slow      time.Duration // how long Apply takes
	loads     int
	left      map[changelog.Epoch]bool // whatever process has left them
	stood     []changelog.Position     // since it was looked at last
}

func (m *modelTarget) setRefuse(on bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refuse = on
}

func (m *modelTarget) setSlow(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.slow = d
}

// begin is what a process does that starts.
func (m *modelTarget) begin() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.left == nil {
		m.left = make(map[changelog.Epoch]bool)
	}
	m.stood = []changelog.Position{m.position}
}

// recent returns where the target stood since this was called last.
func (m *modelTarget) recent() []changelog.Position {
	m.mu.Lock()
	defer m.mu.Unlock()
	stood := m.stood
	m.stood = []changelog.Position{m.position}
	return stood
}

func (m *modelTarget) leftEpochs() map[changelog.Epoch]bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.left)
}

// LeftEpochs makes the target an EpochKeeper.
func (m *modelTarget) LeftEpochs() []changelog.Epoch {
	return slices.Collect(maps.Keys(m.leftEpochs()))
}

func (m *modelTarget) Position() changelog.Position {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.position
}

func (m *modelTarget) Apply(transactions []changelog.Transaction) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	time.Sleep(m.slow)
	if m.refuse {
		return errors.New("the target refuses")
	}
	if m.documents == nil {
		m.documents = make(map[changelog.ID]changelog.Document)
	}
	for _, tx := range transactions {
		for _, r := range tx {
			if r.Revision != m.position.Revision+1 || r.Prev != m.position.Digest {
				m.t.Errorf("revision %d, which follows %s, is applied after %+v", r.Revision, r.Prev, m.position)
			}
			delete(m.documents, r.ID())
			if r.Put != nil {
				m.documents[r.ID()] = r.Document()
			}
			m.move(r.Position())
		}
		m.verify()
	}
	return nil
}

// move goes to a position.
func (m *modelTarget) move(to changelog.Position) {
	if m.position.Epoch != to.Epoch && !m.position.IsZero() {
		m.left[m.position.Epoch] = true
	}
	m.position = to
	m.stood = append(m.stood, to)
}

func (m *modelTarget) verify() {
	found, ok := m.world.look(m.position)
	if !ok || !found.whole || m.sum() != found.state {
		m.t.Errorf("at %+v the state is %s; in some log: %t, a whole state: %t, %s", m.position, m.sum(), ok, found.whole, found.state)
	}
}

func (m *modelTarget) sum() (state changelog.Digest) {
	for _, d := range m.documents {
		state = state.Toggle(d)
	}
	return state
}

func (m *modelTarget) Load(s *changelog.SnapshotReader) error {
	documents := make(map[changelog.ID]changelog.Document)
	for {
		d, err := s.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		documents[d.ID()] = d
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.refuse {
		return errors.New("the target refuses")
	}
	if err := m.mayBecome(s.Header().Position); err != nil {
		m.t.Errorf("at %+v a state at %+v is loaded: %v", m.position, s.Header().Position, err)
	}
	m.documents = documents
	m.loads++
	m.move(s.Header().Position)
	m.verify()
	return nil
}

// mayBecome reports why a state may not take the place of what there is.
func (m *modelTarget) mayBecome(p changelog.Position) error {
	switch {
	case m.position.IsZero():
		return nil
	case p.Epoch == m.position.Epoch && p.Revision <= m.position.Revision:
		return errors.New("it goes back")
	case p.Epoch == m.position.Epoch && !m.world.contains(p, m.position) && !m.world.holedOnce():
		return errors.New("it is of another history")
	case m.left[p.Epoch]:
		return fmt.Errorf("epoch %s was left before", p.Epoch.Short())
	case p.Revision == 1:
		return errors.New("it is a log with nothing but its first entry")
	}
	return nil
}

func (m *modelTarget) Synced() {}

func (m *modelTarget) StateDigest() changelog.Digest {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.sum()
}
