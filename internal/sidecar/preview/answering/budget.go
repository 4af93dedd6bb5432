package answering

import "time"

const (
	// perQuestion is how long the evaluations of one question take at most. To compile the change comes before, and takes as long as it will when the
	// change is made.
	perQuestion = 50 * time.Millisecond
	// slice is after how long there is a pause, and pause how long it is: other work waits for a fifth of one processor at most.
	slice = time.Millisecond
	pause = 4 * time.Millisecond
	// Over time, work takes a hundredth of one processor. What was not used before may be used at once, up to fullBudget.
	budgetShare = 100
	fullBudget  = 200 * time.Millisecond
	// perMinute is how many questions are answered in a minute.
	perMinute = 20
)

// budget is the time that questions may take. The zero value is not ready: use newBudget. It belongs to one goroutine.
type budget struct {
	left   time.Duration // less than nothing after a question that took too long
	at     time.Time     // when left was right
	recent []time.Time   // of questions within the last minute
}

func newBudget(now time.Time) budget { return budget{left: fullBudget, at: now} }

// begin reports whether a question may be worked on now.
func (b *budget) begin(now time.Time) bool {
	b.left = min(b.left+now.Sub(b.at)/budgetShare, fullBudget)
	b.at = now
	for len(b.recent) > 0 && now.Sub(b.recent[0]) >= time.Minute {
		b.recent = b.recent[1:]
	}
	if b.left <= 0 || len(b.recent) >= perMinute {
		return false
	}
	b.recent = append(b.recent, now)
	return true
}

// spend takes account of work.
func (b *budget) spend(d time.Duration) { b.left -= d }

// work measures what one question takes, in slices.
type work struct {
	now   func() time.Time
	rest  func(time.Duration)
	began time.Time     // of the slice
	spent time.Duration // before it
	other time.Duration // before evaluations
}

func newWork(now func() time.Time, rest func(time.Duration)) *work {
	return &work{now: now, rest: rest, began: now()}
}

// start begins with evaluations: what was done before is no part of their time.
func (w *work) start() {
	w.other = w.now().Sub(w.began)
	w.rest(pause)
	w.began = w.now()
}

// next ends a slice that is long enough, and reports whether there is time left.
func (w *work) next() bool {
	d := w.now().Sub(w.began)
	if w.spent+d >= perQuestion {
		return false
	}
	if d >= slice {
		w.spent += d
		w.rest(pause)
		w.began = w.now()
	}
	return true
}

// all returns how long all of it took, without pauses.
func (w *work) all() time.Duration { return w.other + w.spent + w.now().Sub(w.began) }
