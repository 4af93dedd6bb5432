package requests

import (
	"errors"
	"strings"
	"time"

	"github.com/flagside/flagside/internal/publisher/lifecycle"
)

// The types of events about the lives of flags. Publishers themselves write all but EventLifecycle.
const (
	// EventLifecycle says what holds for flags that grow old from now on.
	EventLifecycle    EventType = "settings.lifecycle"
	EventFlagActive   EventType = lifecyclePrefix + EventType(lifecycle.Active) // again
	EventFlagStale    EventType = lifecyclePrefix + EventType(lifecycle.Stale)
	EventFlagExpiring EventType = lifecyclePrefix + EventType(lifecycle.Expiring)
	EventFlagExpired  EventType = lifecyclePrefix + EventType(lifecycle.Expired)
	// EventFlagArchived is of flags that were told not to be active. The change that archives a flag stands in the log.
	EventFlagArchived EventType = lifecyclePrefix + EventType(lifecycle.Archived)
)

const lifecyclePrefix = "lifecycle."

// LifecycleActor is the id of who changes and proposes what a lifecycle policy wants. No token, person or issuer has such an id: theirs have a
// colon.
const LifecycleActor = "lifecycle"

// FlagNotice is a flag that came to a stage.
type FlagNotice struct {
	Key      string    `json:"key"`
	Owner    string    `json:"owner,omitzero"`
	Kind     string    `json:"kind,omitzero"`
	Since    time.Time `json:"since,omitzero"`
	Expires  time.Time `json:"expires,omitzero"`
	Revision uint64    `json:"revision,omitzero"` // of its document; 0 of one that is gone
}

const (
	// maxNotices and maxNoticeBytes bound one event: when many flags expire at once, several events tell it.
	maxNotices     = 500
	maxNoticeBytes = 256 << 10
	// noticeOverhead is how many bytes a notice has at most besides its names.
	noticeOverhead = 200
)

// LifecycleEvent returns the event that tells the first of some transitions, those to the same stage, as many as one event may tell. The zero
// Event tells none.
func LifecycleEvent(news []lifecycle.Transition, now time.Time) Event {
	if len(news) == 0 {
		return Event{}
	}
	e := Event{Type: lifecyclePrefix + EventType(news[0].To), At: now.UTC()}
	size := 0
	for _, t := range news {
		if t.To != news[0].To {
			continue
		}
		notice := FlagNotice{Key: t.Key, Since: t.Since}
		if f := t.Flag; f != nil {
			notice.Owner, notice.Kind, notice.Expires, notice.Revision = f.Owner(), f.Kind(), f.Expires(), f.Revision()
		}
		size += 6*(len(notice.Key)+len(notice.Owner)+len(notice.Kind)) + noticeOverhead // each byte may be escaped
		if len(e.Flags) == maxNotices || len(e.Flags) > 0 && size > maxNoticeBytes {
			break
		}
		e.Flags = append(e.Flags, notice)
	}
	return e
}

// Stage returns the stage that events of the type tell, empty for others.
func (t EventType) Stage() lifecycle.Stage {
	stage, _ := t.lifecycleStage()
	return stage
}

// lifecycleStage returns the stage that events of the type tell, false for others.
func (t EventType) lifecycleStage() (lifecycle.Stage, bool) {
	switch t {
	case EventFlagActive, EventFlagStale, EventFlagExpiring, EventFlagExpired, EventFlagArchived:
		return lifecycle.Stage(strings.TrimPrefix(string(t), lifecyclePrefix)), true
	default:
		return "", false
	}
}

// OnLifecycle reports whether events of the type are about the lives of flags, and change nothing about change requests.
func (t EventType) OnLifecycle() bool {
	_, notice := t.lifecycleStage()
	return notice || t == EventLifecycle
}

// evolveLifecycle adds an event about the lives of flags.
func (g *Governance) evolveLifecycle(e Event) error {
	if e.Type == EventLifecycle {
		if e.Lifecycle == nil {
			return errors.New("settings.lifecycle says nothing")
		}
		if !e.Lifecycle.Settings().Same(g.lifecycle.Settings()) {
			g.reconsider()
		}
		g.lifecycle = *e.Lifecycle
		return nil
	}
	stage, _ := e.Type.lifecycleStage()
	for _, notice := range e.Flags {
		if stage == lifecycle.Active || stage == lifecycle.Archived {
			delete(g.told, notice.Key)
			continue
		}
		g.told[notice.Key] = lifecycle.Told{Stage: stage, Since: notice.Since, Revision: notice.Revision}
	}
	return nil
}

// reconsider lets what was told of flags be taken back.
func (g *Governance) reconsider() {
	for key, told := range g.told {
		told.Revision = 0
		g.told[key] = told
	}
}

// Lifecycle returns what holds for flags that grow old.
func (g *Governance) Lifecycle() lifecycle.Policy { return g.lifecycle }

// Told returns what was last told of flags that are not active, by their keys. The map is shared and must not be modified.
func (g *Governance) Told() map[string]lifecycle.Told { return g.told }

// Automatic returns the newest change request that a lifecycle policy has opened for a flag.
func (g *Governance) Automatic(flag string) (Request, bool) {
	r, ok := g.requests[g.automatic[flag]]
	return r, ok
}

// noteAutomatic remembers a request that a lifecycle policy has opened.
func (g *Governance) noteAutomatic(r Request) {
	if r.Proposal.Author.ID == LifecycleActor && len(r.Proposal.Changes) == 1 {
		g.automatic[r.Proposal.Changes[0].Key] = r.ID
	}
}
