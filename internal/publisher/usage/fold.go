package usage

import (
	"maps"
	"strconv"
	"time"

	"github.com/flagside/flagside/sync/usage"
)

// Message is a report as it lies in the stream.
type Message struct {
	Sequence uint64
	Received time.Time
	Report   *usage.Report // nil if it could not be read
}

// NewMessage returns the message with some bytes.
func NewMessage(sequence uint64, received time.Time, data []byte) Message {
	m := Message{Sequence: sequence, Received: received}
	if r, err := usage.Decode(data); err == nil {
		m.Report = &r
	}
	return m
}

// Fold is the series as they become, message after message. Create it with NewFold.
type Fold struct {
	Place    Place
	Last     *Last
	segments map[ID]*Segment
	changed  map[ID]bool
	messages int
	used     bool // Last has changed
	now      time.Time
}

// NewFold begins with what was folded before. It changes place and last.
func NewFold(p Place, l *Last) *Fold {
	if p.Boots == nil {
		p.Boots = make(map[string]Boot)
	}
	return &Fold{Place: p, Last: l, segments: make(map[ID]*Segment), changed: make(map[ID]bool)}
}

// Begin tells at which time what comes next is folded: segments that were removed by then are left out. It must be called before anything is added.
func (f *Fold) Begin(now time.Time) { f.now = now }

// Missing returns the segments that Add needs for a message and does not have.
func (f *Fold) Missing(m Message) []ID {
	var missing []ID
	for _, id := range f.concerned(m) {
		if f.segments[id] == nil {
			missing = append(missing, id)
		}
	}
	return missing
}

// Load gives it a segment as it was written last, nil if it never was.
func (f *Fold) Load(id ID, s *Segment) {
	if s == nil {
		s = NewSegment()
	}
	f.segments[id] = s
}

// concerned returns the segments that a message is added to: none if it was folded before.
func (f *Fold) concerned(m Message) []ID {
	if m.Report == nil || f.known(m) || !says(m.Report) {
		return nil
	}
	at := timeOf(m)
	var all []ID
	for _, r := range Resolutions() {
		id := r.At(at)
		if !id.Next().Time().Add(r.Kept()).Before(f.now) {
			all = append(all, id)
		}
	}
	return all
}

// says reports whether a report has anything for a segment.
func says(r *usage.Report) bool {
	return r.Sum() > 0 || len(r.NotFound) > 0 || r.NotFoundOthers > 0 || lostCounts(r)
}

// lostCounts reports whether a report says that counts were lost. Exposures and outcomes are no counts.
func lostCounts(r *usage.Report) bool { return r.Lost.Reports > 0 || r.Lost.Evaluations > 0 }

// known reports whether a message was folded before.
func (f *Fold) known(m Message) bool {
	return m.Sequence <= f.Place.Covered || m.Report.N <= f.Place.Boots[m.Report.Boot].N
}

// timeOf returns the time that the counts of a message belong to.
func timeOf(m Message) time.Time {
	at := m.Report.To
	if earliest := m.Received.Add(-MaxDelay); at.Before(earliest) {
		return earliest
	}
	if at.After(m.Received) {
		return m.Received
	}
	return at
}

// Add folds the next message of the stream. All segments that it needs must be there: see Missing.
func (f *Fold) Add(m Message) {
	if m.Sequence <= f.Place.Covered {
		return
	}
	f.messages++
	if missed := m.Sequence - f.Place.Covered - 1; missed > 0 {
		f.Place.Missed = plus(f.Place.Missed, missed)
		f.Place.MissedAt = m.Received
	}
	switch {
	case m.Report == nil:
		f.Place.Malformed++
		f.Place.MalformedAt = m.Received
	case f.known(m):
		f.Place.Duplicates++
	default:
		f.add(m)
	}
	f.Place.Covered, f.Place.Until = m.Sequence, m.Received
	if f.Place.Since.IsZero() {
		f.Place.Since = m.Received
	}
}

// Skip tells that there are no messages any more up to a sequence: the stream removed them.
func (f *Fold) Skip(to uint64) {
	if to > f.Place.Covered {
		f.Place.Missed = plus(f.Place.Missed, to-f.Place.Covered)
		f.Place.MissedAt, f.Place.Covered = f.now, to
		f.messages++
	}
}

// Move tells that reports come from another stream, which has removed those up to a sequence. What the stream before had and was not folded is
// missed; how many that were is not known.
func (f *Fold) Move(source string, removed uint64, now time.Time) {
	if f.Place.Source != "" {
		f.Place.Missed, f.Place.MissedAt = plus(f.Place.Missed, removed), now
		f.messages++ // so that it is written, and not told again later
	}
	f.Place.Source, f.Place.Covered = source, removed
}

// add folds a report that is new.
func (f *Fold) add(m Message) {
	r := m.Report
	at := timeOf(m)
	for _, id := range f.concerned(m) {
		f.changed[id] = true
		f.segments[id].take(r)
	}
	f.uses(r, at)
	f.Place.Reports++
	f.Place.Lost = sumOf(f.Place.Lost, r.Lost)
	if lostCounts(r) {
		f.Place.LostAt = m.Received
	}
	if r.Unchanged > 0 && at.After(f.Place.UnchangedAt) {
		f.Place.UnchangedAt = at
	}
	boot := Boot{N: r.N, At: m.Received.Unix(), Application: r.Application}
	for protocol, n := range r.Unknown {
		if n > 0 {
			boot.Clients += n
			f.Last.clients(Clients{Application: r.Application, Protocol: protocol}, at)
			f.used = true
		}
	}
	f.Place.Boots[r.Boot] = boot
}

// uses notes when flags were used.
func (f *Fold) uses(r *usage.Report, at time.Time) {
	for i := range r.Flags {
		for _, c := range r.Flags[i].Counts {
			if c.N == 0 {
				continue
			}
			application, _ := who(r, c)
			f.Last.use(Use{Flag: r.Flags[i].Key, Variant: c.Variant, Application: application}, at, c.Bulk)
			f.used = true
		}
	}
}

// take adds a report to a segment.
func (s *Segment) take(r *usage.Report) {
	for i := range r.Flags {
		for _, c := range r.Flags[i].Counts {
			s.count(r, r.Flags[i].Key, revision(r.Epoch, r.Flags[i].Revision), c)
		}
	}
	for _, c := range r.Other {
		s.count(r, "", "", c)
	}
	for key, n := range r.NotFound {
		s.addNotFound(NotFound{Key: key, Application: r.Application}, n)
	}
	s.NotFoundOthers = plus(s.NotFoundOthers, r.NotFoundOthers)
	s.addLost(r.Lost)
}

func (s *Segment) count(r *usage.Report, flag, revision string, c usage.Count) {
	if c.N == 0 {
		return
	}
	application, release := who(r, c)
	s.add(Series{
		Flag: flag, Revision: revision, Variant: c.Variant, Reason: c.Reason, Code: c.Code, Rule: c.Rule,
		Application: application, Release: release, Bulk: c.Bulk,
	}, c.N)
}

// who returns the application of a count, and its version, which is known of the one that the sidecar is for.
func who(r *usage.Report, c usage.Count) (application, release string) {
	if c.Application != "" && c.Application != r.Application {
		return c.Application, ""
	}
	return r.Application, r.Release
}

// shortEpoch is how many characters of an epoch a revision is written with.
const shortEpoch = 8

func revision(epoch string, revision uint64) string {
	if revision == 0 {
		return ""
	}
	number := strconv.FormatUint(revision, 10)
	if len(epoch) < shortEpoch {
		return number
	}
	return epoch[:shortEpoch] + "-" + number
}

// Full reports whether what was added should be written before more is.
func (f *Fold) Full() bool { return len(f.changed) >= maxChanged || f.messages >= maxMessages }

// Bounds of what is written together.
const (
	maxChanged  = 60
	maxMessages = 5_000
)

// Changed returns what has to be written: segments, and whether Last is among it. Place always is. Before that, what is not needed any more is
// forgotten.
func (f *Fold) Changed() (segments map[ID]*Segment, last bool) {
	f.Place.forget()
	segments = make(map[ID]*Segment, len(f.changed))
	for id := range f.changed {
		segments[id] = f.segments[id]
	}
	return segments, f.used
}

// Messages returns how many messages were added since Written.
func (f *Fold) Messages() int { return f.messages }

// Written tells that everything was written. Segments that are old or large in sum are let go of.
func (f *Fold) Written() {
	clear(f.changed)
	f.messages, f.used = 0, false
	series := 0
	for _, s := range f.segments {
		series += len(s.Series)
	}
	if len(f.segments) <= maxLoaded && series <= maxLoadedSeries {
		return
	}
	newest := make(map[ID]bool)
	for _, r := range Resolutions() {
		newest[r.At(f.Place.Until)] = true
	}
	maps.DeleteFunc(f.segments, func(id ID, _ *Segment) bool { return !newest[id] })
}

// Bounds of what stays in memory between two folds.
const (
	maxLoaded       = 64
	maxLoadedSeries = 100_000
)
