package preview

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/flagside/flagside/sync/preview"
)

// Impact is what would come of the evaluations that there were lately, as sidecars say: a claim of those who hold their credentials.
type Impact struct {
	Sample

	// Answered is how many of those that were asked have counts, and Refused how many have none, by why.
	Answered int
	Refused  map[preview.Refusal]int
	// Unanswered are the applications of which none that was asked has counts, by name: nothing is known of them.
	Unanswered []string
	Clocks     []Clock
	// Applications are those that asked for flags, by name.
	Applications []string
	// Since is how far back the oldest memory goes.
	Since time.Duration
	// Partial is true if some had no time to look at all that they remember.
	Partial   bool
	Flags     []Flag // those with the most changes first
	MoreFlags int    // that are not listed
	// Missing is why nothing was asked, empty if something was.
	Missing string
	At      time.Time
}

// Clock is the clock of a sidecar that has refused to answer because it and that of the publisher differ too much.
type Clock struct {
	Name, Namespace string        // of the sidecar
	Ahead           time.Duration // of the publisher's; negative if it is behind
}

// Flag is what would come of the evaluations of one flag.
type Flag struct {
	Key string
	// Evaluations is how many there were, and TooFew how many there were beside them in sidecars that remember too few to tell anything.
	Evaluations, TooFew uint64
	Samples             int // evaluations that were made again
	Changed             uint64
	Changes             []preview.Change // the most frequent first
	ErrorsBefore        uint64
	ErrorsAfter         uint64
	Fails               bool // whether any would fail, also where ErrorsAfter is 0
}

// flagSum sums up one flag.
type flagSum struct {
	evaluations, tooFew, before, after float64
	samples                            int
	fails                              bool
	changes                            map[change]float64
}

type change struct{ from, to string }

// Sum sums up answers of a sample of sidecars. Answers of others, and second ones, do not count. Those that have counts stand for those of the same
// application that have none, too.
func Sum(s Sample, answers []preview.Answer, at time.Time) Impact {
	out := Impact{Sample: s, Refused: make(map[preview.Refusal]int), At: at}
	waiting := make(map[string]Asked)
	for _, one := range s.Asked {
		waiting[one.Boot] = one
	}
	var counted []counts
	for _, a := range answers {
		asked, ok := waiting[a.Boot]
		delete(waiting, a.Boot)
		switch {
		case !ok:
		case a.Refused != "":
			out.refuse(&a, asked)
		default:
			counted = append(counted, counts{answer: a, of: asked})
		}
	}
	sums := make(map[string]*flagSum)
	scales := out.standIns(counted)
	for _, c := range counted {
		out.add(&c.answer, c.of.Scale*scales[c.of.of()], sums)
	}
	slices.Sort(out.Applications)
	out.Applications = slices.Compact(out.Applications)
	for key, sum := range sums {
		out.Flags = append(out.Flags, sum.flag(key))
	}
	slices.SortFunc(out.Flags, func(a, b Flag) int {
		return cmp.Or(cmp.Compare(b.Changed, a.Changed), cmp.Compare(b.Evaluations, a.Evaluations), cmp.Compare(a.Key, b.Key))
	})
	if more := len(out.Flags) - preview.MaxFlags; more > 0 {
		out.Flags, out.MoreFlags = out.Flags[:preview.MaxFlags], max(out.MoreFlags, more)
	}
	return out
}

// counts are an answer with counts, and of which sidecar.
type counts struct {
	answer preview.Answer
	of     Asked
}

// refuse notes why a sidecar has no counts.
func (i *Impact) refuse(a *preview.Answer, asked Asked) {
	i.Refused[a.Refused]++
	if a.Refused == preview.RefusedClock {
		ahead := time.Duration(max(min(a.AheadMs, math.MaxInt32), -math.MaxInt32)) * time.Millisecond
		i.Clocks = append(i.Clocks, Clock{Name: asked.Name, Namespace: asked.Namespace, Ahead: ahead})
	}
}

// standIns returns, of each application, how many sidecars were asked for each that has counts, and notes the applications of which none has.
func (i *Impact) standIns(counted []counts) map[application]float64 {
	asked, answered := make(map[application]float64), make(map[application]float64)
	for _, one := range i.Asked {
		asked[one.of()]++
	}
	for _, c := range counted {
		answered[c.of.of()]++
	}
	scales := make(map[application]float64)
	for of, n := range asked {
		if answered[of] == 0 {
			i.Unanswered = append(i.Unanswered, of.name)
			continue
		}
		scales[of] = n / answered[of]
	}
	slices.Sort(i.Unanswered)
	i.Unanswered = slices.Compact(i.Unanswered)
	return scales
}

// add adds an answer, which stands for so many sidecars.
func (i *Impact) add(a *preview.Answer, scale float64, sums map[string]*flagSum) {
	i.Answered++
	i.Partial = i.Partial || a.Partial
	i.Since = max(i.Since, time.Duration(min(a.SinceMs, math.MaxInt32))*time.Millisecond)
	i.MoreFlags = max(i.MoreFlags, a.MoreFlags)
	i.Applications = append(i.Applications, a.Applications...)
	for _, f := range a.Flags {
		if sums[f.Key] == nil {
			sums[f.Key] = &flagSum{changes: make(map[change]float64)}
		}
		sums[f.Key].add(&f, scale)
	}
}

func (s *flagSum) add(f *preview.Flag, scale float64) {
	if f.Samples < preview.MinSamples {
		s.tooFew += float64(f.Evaluations) * scale
		return
	}
	s.evaluations += float64(f.Evaluations) * scale
	s.samples += f.Samples
	s.fails = s.fails || f.Fails || f.ErrorsAfter > 0
	s.before += float64(f.ErrorsBefore) * scale
	s.after += float64(f.ErrorsAfter) * scale
	for _, c := range f.Changes {
		s.changes[change{c.From, c.To}] += float64(c.N) * scale
	}
}

func (s *flagSum) flag(key string) Flag {
	f := Flag{
		Key: key, Evaluations: round(s.evaluations), TooFew: round(s.tooFew), Samples: s.samples, ErrorsBefore: round(s.before), ErrorsAfter: round(s.after),
		Fails: s.fails,
	}
	var changed float64
	for c, n := range s.changes {
		changed += n
		f.Changes = append(f.Changes, preview.Change{From: c.from, To: c.to, N: round(n)})
	}
	f.Changed = min(round(changed), f.Evaluations)
	slices.SortFunc(f.Changes, func(a, b preview.Change) int {
		return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To))
	})
	if len(f.Changes) > preview.MaxChanges {
		f.Changes = f.Changes[:preview.MaxChanges]
	}
	return f
}

func round(n float64) uint64 { return uint64(math.Round(min(max(n, 0), 1<<53))) }
