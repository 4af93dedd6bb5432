package sinks

import (
	"sync"
	"time"

	"github.com/rs/zerolog"
	logs "go.opentelemetry.io/proto/otlp/logs/v1"

	"github.com/flagside/flagside/internal/publisher/usage/sinks/otlp"
	"github.com/flagside/flagside/internal/publisher/usage/sinks/rows"
)

// tally knows how a sink does with one environment.
type tally struct {
	sink, environment string
	counters          counters
	logger            zerolog.Logger

	mu      sync.Mutex // guards what follows
	waiting uint64     // reports
	floor   uint64     // behind which the oldest is
	oldest  time.Time  // when the oldest report that waits was stored; zero if none waits
	lastErr error      // nil after a success
	failing time.Time  // since when each attempt has failed; zero if the last one succeeded
	lost    time.Time  // when reports were removed last before they were taken
}

// behind is what is known of the reports that wait.
type behind struct {
	reports uint64
	oldest  time.Time
	err     error
	lost    time.Time
}

func (t *tally) known() behind {
	t.mu.Lock()
	defer t.mu.Unlock()
	return behind{t.waiting, t.oldest, t.lastErr, t.lost}
}

// waits notes how many reports wait behind a place. When the oldest came is not known before it was read.
func (t *tally) waits(reports, floor uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.waiting = reports
	if reports == 0 || floor != t.floor && t.failing.IsZero() { // else the parcel in hand is not written, although the place may be past it
		t.oldest = time.Time{}
	}
	t.floor = floor
}

// begins notes when the oldest report that waits came.
func (t *tally) begins(at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.oldest.IsZero() {
		t.oldest = at
	}
}

// stored notes a file.
func (t *tally) stored(s rows.Series, count, bytes int) {
	t.counters.rows[s].Add(float64(count))
	t.counters.bytes.Add(float64(bytes))
}

// sent notes a request. Records that were rejected are among its rows: which they are is not known.
func (t *tally) sent(request []*logs.LogRecord, sent otlp.Sent) {
	counted := make(map[string]int)
	for _, one := range request {
		counted[one.GetEventName()]++
	}
	for name, s := range map[string]rows.Series{otlp.CountEvent: rows.Counts, otlp.ExposureEvent: rows.Exposures, otlp.OutcomeEvent: rows.Outcomes} {
		t.counters.rows[s].Add(float64(counted[name]))
	}
	t.counters.bytes.Add(float64(sent.Bytes))
}

// rejected notes rows that the receiver will never take.
func (t *tally) rejected(n int64, why string) {
	t.counters.rejected.Add(float64(n))
	t.logger.Warn().Int64("rows", n).Str("why", why).Msg("usage sink rejected rows, which are lost")
}

// took notes a parcel that is written.
func (t *tally) took(p *parcel) {
	t.counters.malformed.Add(float64(p.malformed))
}

// misses notes reports that were removed before the sink had them.
func (t *tally) misses(reports uint64) {
	t.counters.lost.Add(float64(reports))
	t.logger.Error().Uint64("reports", reports).Msg("reports were removed before the usage sink had them")
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lost = time.Now()
}

func (t *tally) failed(err error) {
	t.counters.failures.Inc()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.failing.IsZero() {
		t.failing = time.Now()
		t.logger.Warn().Err(err).Msg("usage sink failed, trying again")
	}
	t.lastErr = err
}

func (t *tally) succeeded() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.failing.IsZero() {
		t.logger.Info().Dur("after", time.Since(t.failing)).Msg("usage sink works again")
	}
	t.lastErr, t.failing = nil, time.Time{}
}
