package resolver

import (
	"bytes"
	"strconv"
	"time"

	"github.com/flagside/flagside/eval"
)

// Stale reports whether an answer of the flag would be stale now because knowledge is older than its maxStaleness. What a flag with
// always_fresh answers is not known before its log is asked, so this speaks only of its maxStaleness.
func (r *Resolver) Stale(f *eval.Flag) bool {
	limit := f.MaxStaleness()
	if limit == 0 {
		return false
	}
	var known freshness
	known.age, known.known = r.log.Age()
	return known.olderThan(limit)
}

// stale reports whether the flag demands more than q knows.
func (q *request) stale(f *eval.Flag) bool {
	if q.freshness.confirmed {
		return false
	}
	if q.freshness.failed && (q.fresh || f.Freshness() == eval.FreshnessAlwaysFresh) {
		return true
	}
	limit := f.MaxStaleness()
	return limit > 0 && q.freshness.olderThan(limit)
}

// withoutKnowledge answers for a flag that demands more than q knows, as its onUnreachable says. An answer that has a value has the
// reason STALE. One without keeps its reason, because by that clients tell that their own default applies.
func (q *request) withoutKnowledge(f *eval.Flag) eval.Result {
	var result eval.Result
	switch f.OnUnreachable() {
	case eval.OnUnreachableError:
		result = eval.Result{
			Flag:      f,
			Reason:    eval.ReasonError,
			ErrorCode: eval.ErrorGeneral,
			Detail:    "the flag is not to be answered from knowledge that cannot be confirmed, and the log cannot be reached now",
			Metadata:  f.Metadata(),
		}
	case eval.OnUnreachableDefaultVariant:
		result = f.EvaluateDefault()
	default:
		result = f.Evaluate(&q.context, q.now)
	}
	if result.Variant != nil && result.ErrorCode == "" {
		result.Reason = eval.ReasonStale
	}
	result.Metadata = q.appendAge(result.Metadata)
	return result
}

// The members that tell about staleness in the metadata of an answer. A flag that has its own metadata of such a name keeps them.
const (
	memberStaleSince = `"staleSince":`
	memberAge        = `"ageSeconds":`
	memberEstimated  = `"ageEstimated":`
)

// appendAge returns metadata with the moment since which knowledge is not confirmed and, in the answer for one flag, its age, and whether both are
// an estimate. The items of a bulk answer have no age, so that they stay the same while nothing happens.
func (q *request) appendAge(metadata []byte) []byte {
	start := len(q.metadata)
	shown, estimated := q.resolver.shown(q.freshness)
	b := append(q.metadata, metadata[:len(metadata)-1]...)
	if !bytes.Contains(metadata, []byte(memberStaleSince)) {
		b = append(appendComma(b), memberStaleSince+`"`...)
		b = q.resolver.since(q.now, shown).UTC().AppendFormat(b, time.RFC3339)
		b = append(b, '"')
	}
	if !q.bulk && shown.known && !bytes.Contains(metadata, []byte(memberAge)) {
		b = append(appendComma(b), memberAge...)
		b = strconv.AppendFloat(b, shown.age.Seconds(), 'f', 3, 64)
	}
	if estimated && !bytes.Contains(metadata, []byte(memberEstimated)) {
		b = append(appendComma(b), memberEstimated+"true"...)
	}
	q.metadata = append(b, '}')
	return q.metadata[start:len(q.metadata):len(q.metadata)]
}

// shown returns what is said about freshness: where the age is not known, an estimate of it takes its place.
func (r *Resolver) shown(f freshness) (shown freshness, estimated bool) {
	if f.known {
		return f, false
	}
	f.age, f.known = r.estimate()
	return f, f.known
}

// appendComma appends the comma after a member of an object.
func appendComma(b []byte) []byte {
	if b[len(b)-1] == '{' {
		return b
	}
	return append(b, ',')
}

// sameMoment is how far two estimates of one moment may lie apart. They come from clocks that are read one after the other; moments of
// confirmation that are nearer to each other than this are not told apart.
const sameMoment = 500 * time.Millisecond

// since returns the last moment at which everything that existed was known, the same until knowledge is confirmed again; the beginning
// of the process if it never was.
func (r *Resolver) since(now time.Time, f freshness) time.Time {
	if !f.known {
		return r.began
	}
	estimate := now.Add(-f.age)
	before := time.Unix(0, r.confirmed.Load())
	if estimate.Sub(before).Abs() < sameMoment {
		return before
	}
	r.confirmed.Store(estimate.UnixNano())
	return estimate
}
