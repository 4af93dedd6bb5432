package following

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/failsafe-go/failsafe-go/ratelimiter"
	"github.com/rs/zerolog"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/kubernetes"
	"github.com/flagside/flagside/internal/publisher/control/ownership"
)

const (
	// eventsAMinute is how many Events are written in a minute at most. Others are left out: the state of the source tells the same.
	eventsAMinute = 60
	// queuedEvents is how many wait to be written.
	queuedEvents = 100
	// rememberedEvents is how many are known to be written, which are not written again.
	rememberedEvents = 10_000
	// maxMessage is how many bytes a message has at most.
	maxMessage = 1000
)

// The reasons of Events.
const (
	reasonApplied  = "Applied"
	reasonInvalid  = "Invalid"
	reasonApproval = "ApprovalRequired"
	reasonConflict = "Conflict"
	reasonRefused  = "Refused"
)

// eventsOf returns what the objects of a namespace are told, one Event for each object and reason.
func eventsOf(namespace string, now outcome) (list []kubernetes.Event) {
	told := make(map[[2]string][]string) // lines by object and reason
	add := func(object, reason, line string) {
		if object != "" {
			told[[2]string{object, reason}] = append(told[[2]string{object, reason}], line)
		}
	}
	now.tellMistakes(add)
	for _, c := range now.changed {
		add(objectOf(c.After, c.Before), reasonApplied, fmt.Sprintf("%s %q %s", c.Kind, c.Key, c.Done()))
	}
	for _, c := range now.asked {
		reason, line := reasonApproval, fmt.Sprintf("%s %q waits for the approval of change request %s", c.Kind, c.Key, now.Request)
		if now.State == Refused {
			reason, line = reasonRefused, fmt.Sprintf("%s %q: %s", c.Kind, c.Key, now.Detail)
		}
		add(objectOf(c.After, c.Before), reason, line)
	}
	for key, lines := range told {
		list = append(list, newEvent(namespace, key[0], key[1], lines))
	}
	slices.SortFunc(list, func(a, b kubernetes.Event) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// tellMistakes tells what is wrong with objects, and what others have.
func (now outcome) tellMistakes(add func(object, reason, line string)) {
	if now.version == nil {
		return
	}
	for _, f := range now.version.Findings {
		_, object, _ := strings.Cut(f.File, "/")
		if !f.Problem.Warning {
			add(object, reasonInvalid, f.Problem.Error())
		}
	}
	for _, p := range now.problems {
		add(now.objectOf(p.ID()), reasonInvalid, p.Error())
	}
	for _, c := range now.conflicts {
		add(now.objectOf(c.ID), reasonConflict, fmt.Sprintf("%s %q belongs to %s", c.Kind, c.Key, c.Owner))
	}
}

// objectOf returns the name of the object that a document stands in; empty if it stands in none.
func (now outcome) objectOf(id document.ID) string {
	_, name := ownership.Object(now.version.marks[id])
	return name
}

// objectOf returns the name of the object that the first of some bodies belongs to which belongs to one.
func objectOf(bodies ...[]byte) string {
	for _, body := range bodies {
		if _, name := ownership.Object(ownership.Owner(body)); name != "" {
			return name
		}
	}
	return ""
}

// newEvent returns an Event whose name is the same for the same.
func newEvent(namespace, object, reason string, lines []string) kubernetes.Event {
	slices.Sort(lines)
	message := strings.Join(slices.Compact(lines), "; ")
	if len(message) > maxMessage {
		message = strings.ToValidUTF8(message[:maxMessage], "") + "..."
	}
	sum := sha256.Sum256([]byte(reason + "\x00" + message))
	return kubernetes.Event{
		Name:    strings.TrimRight(fmt.Sprintf("%.200s", object), "-.") + "." + hex.EncodeToString(sum[:8]), // each part of a name ends with a letter or digit
		About:   kubernetes.Reference{APIVersion: group + "/" + apiVersion, Kind: kind, Namespace: namespace, Name: object},
		Warning: reason != reasonApplied && reason != reasonApproval, Reason: reason, Message: message,
	}
}

// events writes Events: not too many, and the same again only after something else was to be told about the object. It is safe for concurrent use by
// one that writes and one that runs.
type events struct {
	logger zerolog.Logger
	rate   ratelimiter.RateLimiter[any]
	queue  chan kubernetes.Event
	last   map[string]string // name of the Event by object and reason that was queued last
	counts map[string]kubernetes.Event
}

func newEvents(logger zerolog.Logger) *events {
	return &events{
		logger: logger, rate: ratelimiter.NewBursty[any](eventsAMinute, time.Minute), queue: make(chan kubernetes.Event, queuedEvents),
		last: make(map[string]string), counts: make(map[string]kubernetes.Event),
	}
}

// write has an Event written soon, unless it was the last about its object already, or there are too many.
func (e *events) write(event kubernetes.Event) {
	at := func(reason string) string { return event.About.Name + "\x00" + reason }
	if event.Reason == reasonApplied { // which is only told where something was changed
		for _, reason := range []string{reasonInvalid, reasonApproval, reasonConflict, reasonRefused} {
			delete(e.last, at(reason))
		}
	} else if e.last[at(event.Reason)] == event.Name {
		return
	}
	if !e.rate.TryAcquirePermit() {
		return
	}
	if len(e.last) >= rememberedEvents {
		clear(e.last)
	}
	event.First, event.Last = time.Now(), time.Now()
	select {
	case e.queue <- event:
		e.last[at(event.Reason)] = event.Name
	default:
	}
}

// run writes what is queued until ctx ends. What cannot be written is given up: it is only told in another place, too.
func (e *events) run(ctx context.Context, o kubernetes.Options) {
	failed := false
	for {
		select {
		case <-ctx.Done():
			return
		case event := <-e.queue:
			err := e.send(ctx, o, event)
			if err != nil && !failed && ctx.Err() == nil {
				e.logger.Warn().Err(err).Msg("no Event written about an object")
			}
			failed = err != nil
		}
	}
}

func (e *events) send(ctx context.Context, o kubernetes.Options, event kubernetes.Event) error {
	client, err := kubernetes.New(o)
	if err != nil {
		return err
	}
	defer client.Close()
	if len(e.counts) >= rememberedEvents {
		clear(e.counts)
	}
	if before, known := e.counts[event.Name]; known {
		event.First, event.Count = before.First, before.Count
	}
	event.Count++
	e.counts[event.Name] = event
	return client.WriteEvent(ctx, event)
}
