// Package reporting tells publishers who a sidecar is and what it serves: every ten seconds, when something changes, when another
// revision is served, and when the process ends. Evaluations know nothing of it, and it waits for no answer.
package reporting

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/status"
)

const (
	// ackSpacing is the least time between two acknowledgements: of several revisions within it only the newest is acknowledged.
	ackSpacing = 50 * time.Millisecond
	// changeSpacing is the least time between reports because something has changed. They come up to as much later, so that a fleet
	// that has lost its network together does not report at one moment.
	changeSpacing = time.Second
	// shareLook is how often a process that need not acknowledge a revision looks whether it has to now.
	shareLook = time.Second
	// patience is how long the first report waits for something to be served.
	patience = time.Second
	// retry is how long nothing is tried again after a report could not be sent.
	retry = time.Second
)

// Options say what is reported, and how. All are required; functions are called by one goroutine.
type Options struct {
	// Boot is the random id of the process, see status.NewBoot.
	Boot string
	// Changed returns a channel that is closed when something else is served. It is taken before Served is asked.
	Changed func() <-chan struct{}
	// Served returns what is served.
	Served func() Served
	// State returns a whole report but for its kind, its boot id and its number.
	State func() status.Report
	// Share returns which share of the fleet is to acknowledge revisions.
	Share func() uint32
	// Send sends a report without waiting for anything.
	Send func(status.Report) error
}

// Served is what evaluations are answered from.
type Served struct {
	Position changelog.Position
	State    changelog.Digest
	// Refused is true if the newest version of some documents is not served, which an acknowledgement has to say.
	Refused bool
}

// Reporter reports about one process. Create it with New and run it once. Note is safe for concurrent use.
type Reporter struct {
	options Options
	noted   chan string // the newest summary that was noted
	sent    uint64      // reports

	summary string             // of the last whole report
	pending bool               // the summary has changed since
	told    changelog.Position // the last that was sent
	at      struct {           // when what is sent at the earliest
		report, change, ack time.Time
	}
}

// New returns a reporter for a process that begins now.
func New(o Options) *Reporter {
	return &Reporter{options: o, noted: make(chan string, 1)}
}

// Note tells how things are, in any words. Other words than before are a reason to report.
func (r *Reporter) Note(summary string) {
	for {
		select {
		case r.noted <- summary:
			return
		default:
		}
		select { // the newest counts
		case <-r.noted:
		default:
		}
	}
}

// Run reports until ctx ends, says good-bye, and returns nil.
func (r *Reporter) Run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	r.at.report = time.Now().Add(patience)
	for {
		changed := r.options.Changed()
		timer.Reset(time.Until(r.step(time.Now())))
		select {
		case <-ctx.Done():
			_ = r.send(status.KindBye, r.options.State()) // without a connection publishers find out by themselves
			return nil
		case <-changed:
		case summary := <-r.noted:
			r.note(summary, time.Now())
		case <-timer.C:
		}
	}
}

func (r *Reporter) note(summary string, now time.Time) {
	if summary == r.summary {
		return
	}
	r.summary = summary
	if !r.pending {
		r.pending = true
		r.at.change = later(now, r.at.change).Add(rand.N(changeSpacing)) // #nosec G404 -- no secret: it spreads a fleet
	}
}

// step sends what is due, and returns when it is to be called again if nothing happens.
func (r *Reporter) step(now time.Time) time.Time {
	served := r.options.Served()
	if r.sent == 0 && !served.Position.IsZero() {
		r.at.report = now
	}
	acknowledges := served.Position != r.told && status.Within(r.options.Boot, r.options.Share())
	switch {
	case !now.Before(r.at.report), r.pending && !now.Before(r.at.change), acknowledges && served.Refused && !now.Before(r.at.ack):
		r.report(now)
	case acknowledges && !now.Before(r.at.ack):
		r.acknowledge(served, now)
	}
	next := r.at.report
	if r.pending {
		next = earlier(next, r.at.change)
	}
	switch {
	case acknowledges && served.Position != r.told:
		next = earlier(next, r.at.ack)
	case served.Position != r.told: // the share may become one that this process belongs to
		next = earlier(next, now.Add(shareLook))
	}
	return next
}

// report sends a whole report.
func (r *Reporter) report(now time.Time) {
	report := r.options.State()
	if r.send(status.KindState, report) != nil {
		r.at.report, r.at.change, r.at.ack = now.Add(retry), now.Add(retry), now.Add(retry)
		return
	}
	r.pending, r.told = false, report.Position
	r.at.report = now.Add(status.Interval*4/5 + rand.N(status.Interval*2/5)) // #nosec G404 -- as above
	r.at.change, r.at.ack = now.Add(changeSpacing), now.Add(ackSpacing)
}

// acknowledge tells what is served.
func (r *Reporter) acknowledge(served Served, now time.Time) {
	if r.send(status.KindAck, status.Report{Position: served.Position, State: served.State}) != nil {
		r.at.ack = now.Add(retry)
		return
	}
	r.told, r.at.ack = served.Position, now.Add(ackSpacing)
}

func (r *Reporter) send(kind status.Kind, report status.Report) error {
	r.sent++
	report.Kind, report.Boot, report.N = kind, r.options.Boot, r.sent
	return r.options.Send(report)
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
