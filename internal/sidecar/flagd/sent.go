package flagd

import (
	"sync"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/flagside/flagside/cache"
	"github.com/flagside/flagside/internal/sidecar/changes"
	"github.com/flagside/flagside/internal/sidecar/resolver"
)

// maxSent is how many selections the events of a change are kept for.
const maxSent = 16

// sent keeps the events of the latest change, so that streams share them instead of each making its own. The zero value is ready to use. Safe
// for concurrent use.
type sent struct {
	mu          sync.Mutex // guards what follows
	change      step
	bySelection map[string][]*structpb.Struct // by selection
}

// step identifies a change that several streams are sent: they share its keys, and then they know the same View from before.
type step struct {
	view  *cache.View
	first *string
	keys  int
}

// events returns the events of a change for a selection, which must not be modified.
func (s *sent) events(selected *resolver.Selector, change changes.Change) []*structpb.Struct {
	if len(change.Keys) == 0 {
		return nil
	}
	current := step{change.View, &change.Keys[0], len(change.Keys)}
	selection := string(selected.Metadata())
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.change != current {
		s.change, s.bySelection = current, make(map[string][]*structpb.Struct)
	}
	made, known := s.bySelection[selection]
	if !known {
		made = eventsOf(selected, change)
		if len(s.bySelection) < maxSent {
			s.bySelection[selection] = made
		}
	}
	return made
}
