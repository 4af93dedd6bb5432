package events

import (
	"encoding/hex"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flagside/flagside/eval"
	counting "github.com/flagside/flagside/internal/sidecar/usage"
)

// exposure is one that waits to be collected.
type exposure struct {
	at          int64 // in nanoseconds since 1970
	subject     [32]byte
	version     *version
	rule        uint16
	application counting.Application
}

// version is a variant of a version of a flag. It refers to nothing of the flag, so that one that was replaced is not kept.
type version struct {
	flag     string
	variant  string
	revision uint64
}

// versionKey finds a version: no other compilation of a flag has the generation.
type versionKey struct {
	generation uint64
	revision   uint64
	variant    int
}

// outcome is one that waits to be collected.
type outcome struct {
	Outcome

	application counting.Application
}

// size returns how many bytes the texts have.
func (o *outcome) size() int {
	n := len(o.Event) + len(o.Subject)
	for _, key := range o.Flags {
		n += len(key)
	}
	return n
}

// maxVariantName is how much of the name of a variant is kept: one more character than reports have.
const maxVariantName = 1<<10 + utf8.UTFMax

func variantName(v *eval.Variant) string { return v.Name()[:min(len(v.Name()), maxVariantName)] }

// keep keeps an exposure, and reports whether there was room for it.
func (r *Recorder) keep(g given, subject [32]byte, a counting.Application, now time.Time) bool {
	key := versionKey{g.flag.Generation(), g.revision, g.variant.Index()}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.exposures) >= MaxExposures {
		r.loseExposureLocked(r.metrics.full)
		return false
	}
	if !r.exposureRate.allows(now, chargeOf(len(g.flag.Key())+len(variantName(g.variant)))) {
		r.loseExposureLocked(r.metrics.rate)
		return false
	}
	v := r.versions[key]
	if v == nil {
		v = &version{flag: strings.Clone(g.flag.Key()), variant: strings.Clone(variantName(g.variant)), revision: g.revision}
		r.versions[key] = v
	}
	r.exposures = append(r.exposures, exposure{at: now.UnixNano(), subject: subject, version: v, rule: g.rule, application: a})
	r.waiting.Store(int64(len(r.exposures)))
	r.metrics.exposures.Inc()
	return true
}

// loseExposure counts an exposure for which there is no room.
func (r *Recorder) loseExposure() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.loseExposureLocked(r.metrics.full)
}

func (r *Recorder) loseExposureLocked(why prometheus.Counter) {
	r.lost.Exposures++
	why.Inc()
}

// keepOutcomes keeps all outcomes or none, which are lost then. It returns ErrFull if there is no room, and ErrRate if too many were told lately.
func (r *Recorder) keepOutcomes(all []outcome, now time.Time) error {
	size, charge := 0, 0
	for i := range all {
		size += all[i].size()
		charge += chargeOf(all[i].size())
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.outcomes)+len(all) > MaxOutcomes || r.text+size > maxText {
		r.loseOutcomesLocked(len(all))
		return ErrFull
	}
	if !r.outcomeRate.allows(now, charge) {
		r.loseOutcomesLocked(len(all))
		return ErrRate
	}
	r.outcomes = append(r.outcomes, all...)
	r.text += size
	r.metrics.outcomes.Add(float64(len(all)))
	return nil
}

func (r *Recorder) loseOutcomesLocked(n int) {
	r.lost.Outcomes += uint64(n) // #nosec G115 -- a length
	r.metrics.refused.Add(float64(n))
}

// Waiting returns how many exposures and outcomes wait to be collected.
func (r *Recorder) Waiting() int {
	if r == nil {
		return 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.exposures) + len(r.outcomes)
}

// Collect returns the oldest exposures and outcomes, of about as many bytes in a report at most, every one exactly once.
func (r *Recorder) Collect(bytes int) (exposures []Exposure, outcomes []Outcome) {
	if r == nil {
		return nil, nil
	}
	told, happened := r.take(bytes)
	for i := range told {
		e := &told[i]
		exposures = append(exposures, Exposure{
			At: time.Unix(0, e.at).UTC(), Flag: e.version.flag, Variant: e.version.variant, Revision: e.version.revision, Rule: int(e.rule),
			Subject: hex.EncodeToString(e.subject[:]), Application: r.options.Applications(e.application),
		})
	}
	for i := range happened {
		one := happened[i].Outcome
		one.Application = r.options.Applications(happened[i].application)
		outcomes = append(outcomes, one)
	}
	return exposures, outcomes
}

// overhead is about how many bytes an exposure or an outcome has in a report beside its texts.
const overhead = 180

// take removes what Collect returns: at least one, if there is one.
func (r *Recorder) take(bytes int) (exposures []exposure, outcomes []outcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n, m := 0, 0
	for ; n < len(r.exposures) && bytes > 0; n++ {
		v := r.exposures[n].version
		bytes -= overhead + len(v.flag) + len(v.variant)
	}
	for ; m < len(r.outcomes) && bytes > 0; m++ {
		size := r.outcomes[m].size()
		r.text -= size
		bytes -= overhead + size
	}
	exposures, outcomes = slices.Clone(r.exposures[:n]), slices.Clone(r.outcomes[:m])
	r.keepFrom(n, m)
	return exposures, outcomes
}

// keepFrom removes the oldest. r.mu is held.
func (r *Recorder) keepFrom(exposures, outcomes int) {
	r.exposures, r.outcomes = slices.Delete(r.exposures, 0, exposures), slices.Delete(r.outcomes, 0, outcomes)
	if len(r.exposures) == 0 {
		r.exposures = nil
	}
	if len(r.outcomes) == 0 {
		r.outcomes = nil
	}
	clear(r.versions) // of flags that were replaced, there are none after a while
	r.waiting.Store(int64(len(r.exposures)))
}

// Discard counts what waits as lost.
func (r *Recorder) Discard() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lost.Exposures += uint64(len(r.exposures))
	r.lost.Outcomes += uint64(len(r.outcomes))
	r.metrics.full.Add(float64(len(r.exposures)))
	r.keepFrom(len(r.exposures), len(r.outcomes))
	r.text = 0
}

// TakeLost returns what there was no room for since it was asked for.
func (r *Recorder) TakeLost() Lost {
	if r == nil {
		return Lost{}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	lost := r.lost
	r.lost = Lost{}
	return lost
}
