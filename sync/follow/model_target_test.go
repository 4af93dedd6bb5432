package follow_test

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/sync/changelog"
)

// modelTarget compares each step with the logs that there were.
type modelTarget struct {
	t     *testing.T
	world *world

	mu        sync.Mutex
	position  changelog.Position
	documents map[document.ID]document.Document
	refuse    bool
	slow      time.Duration // how long Apply takes
	loads     int
	damages   int                  // how often they changed the documents
	damaged   bool                 // the documents are not what they should be, by no fault of the follower
	stood     []changelog.Position // since it was looked at last
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

// damage changes a document behind the follower's back, as a disk or a mistake in
// this process may.
func (m *modelTarget) damage() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, d := range m.documents {
		d.Body = []byte(`{"damaged":true}`)
		m.documents[id] = d
		m.damaged = true
		m.damages++
		return
	}
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
		m.documents = make(map[document.ID]document.Document)
	}
	for _, tx := range transactions {
		for _, r := range tx {
			if r.Prev != m.position.Link() {
				m.t.Errorf("revision %d, which follows %+v, is applied after %+v", r.Revision, r.Prev, m.position)
			}
			foldInto(m.documents, r.Entry)
			m.move(r.Position())
		}
		m.verify()
	}
	return nil
}

// move goes to a position.
func (m *modelTarget) move(to changelog.Position) {
	m.position = to
	m.stood = append(m.stood, to)
}

func (m *modelTarget) verify() {
	found, ok := m.world.look(m.position)
	if !ok || !found.whole || m.sum() != found.state && !m.damaged {
		m.t.Errorf("at %+v the state is %s; in some log: %t, a whole state: %t, %s", m.position, m.sum(), ok, found.whole, found.state)
	}
}

func (m *modelTarget) sum() changelog.Digest { return sumOf(m.documents) }

func (m *modelTarget) Load(s *changelog.SnapshotReader) error {
	documents := make(map[document.ID]document.Document)
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
	to := s.Header().Head.Position
	if err := m.mayBecome(to); err != nil {
		m.t.Errorf("at %+v a state at %+v is loaded: %v", m.position, to, err)
	}
	m.documents, m.damaged = documents, false
	m.loads++
	m.move(to)
	m.verify()
	return nil
}

// mayBecome reports why a state may not take the place of what there is.
func (m *modelTarget) mayBecome(p changelog.Position) error {
	switch {
	case m.position.IsZero():
		return nil
	case p == m.position && m.damaged:
		return nil // it was read from the log again
	case p.Epoch == m.position.Epoch && p.Revision <= m.position.Revision:
		return errors.New("it goes back")
	case p.Epoch == m.position.Epoch && !m.world.contains(p, m.position) && !m.world.holedOnce():
		return errors.New("it is of another history")
	case p.Epoch == m.position.Epoch:
		return nil
	case !p.Epoch.Later(m.position.Epoch):
		return fmt.Errorf("epoch %s is older", p.Epoch.Short())
	case !m.world.renews(p) && !m.world.holedOnce(): // how an epoch began cannot be told where that is missing
		return fmt.Errorf("epoch %s renews nothing", p.Epoch.Short())
	}
	return nil
}

func (m *modelTarget) Synced() {}

func (m *modelTarget) StateDigest() changelog.Digest {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.sum()
}

// count returns how many documents there are.
func (m *modelTarget) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.documents)
}
