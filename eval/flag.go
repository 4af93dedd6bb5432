package eval

import (
	"slices"
	"time"

	"github.com/flagside/flagside/document"
)

// Flag is one compiled flag. It is immutable.
type Flag struct {
	// What an evaluation reads comes first, so that it shares cache lines.
	rule           node // nil if every context gets the same answer, prerequisites aside
	prerequisites  []prerequisite
	variants       variants
	metadata       []byte
	salt           string
	compatibility  Compatibility
	key            string
	defaultVariant *Variant
	offVariant     *Variant
	allowance      int32 // what an evaluation may spend on what is not paid for in advance
	limit          int32 // how many nodes an evaluation may visit
	slots          int32 // how many slots a context must have been decoded for, at least; 0 of a flag that was compiled before all contexts for it
	// settled is the answer when no rule decides it: of a flag without a rule, of a disabled one, and of a rule whose result is null.
	settled  Result
	failures *failures // shared by all versions of the flag; nil counts nothing

	revision   uint64
	generation uint64
	document   []byte
	declared   declaration
	setID      string
	closure    demands // of the flag and of all its prerequisites
	own        demands // of the flag's document

	// What Ruleset.Update needs to compile the flag again.
	broken   bool          // no version of the document could ever be compiled
	enabled  bool          // as the document says
	urgent   bool          // see Urgent
	subject  int32         // one more than the slot of the targeting key if the flag asks for exposures, otherwise 0
	rejected *rejected     // the newest document, if it could not be compiled
	table    *newestTable  // has the slots that contexts must have; nil if that is none
	uses     []document.ID // the documents that this version depends on, in order
	cost     int32         // how many flags one evaluation evaluates at most
	total    int32         // of the work, see Flag.work
}

// rejected is a document that could not be compiled, so that another version stands in its place.
type rejected struct {
	document document.Document
	requires []document.ID // what it or the other version depends on, in order
}

// requires returns the documents on which the flag depends, in order: that version and the newest.
func (f *Flag) requires() []document.ID {
	if f.rejected != nil {
		return f.rejected.requires
	}
	return f.uses
}

// prerequisite is another flag that must evaluate to one of some variants: those of the declared prerequisite in the same place.
type prerequisite struct {
	flag     *Flag
	variants []*Variant
	metadata []byte // of the answer when this prerequisite is not met
}

// Key returns the flag's key.
func (f *Flag) Key() string { return f.key }

// Revision returns the revision of the document that the flag was compiled from.
func (f *Flag) Revision() uint64 { return f.revision }

// SetID returns the flagSetId of the merged metadata, empty if there is none.
func (f *Flag) SetID() string { return f.setID }

// Document returns the body that the flag was compiled from. The slice is shared and must not be modified.
func (f *Flag) Document() []byte { return f.document }

// Metadata returns the JSON object that every answer of the flag carries. The slice is shared and must not be modified.
func (f *Flag) Metadata() []byte { return f.metadata }

// Generation returns a number that no other compilation of a flag has, in all Rulesets that were made from the same New. It stays the
// same across updates that change neither the flag nor anything that it depends on, so answers for equal contexts may be kept under it.
func (f *Flag) Generation() uint64 { return f.generation }

// Freshness returns the read strategy: the strictest among the flag and its prerequisites, direct or not. It is FreshnessCacheFirst unless
// one of their documents says otherwise.
func (f *Flag) Freshness() Freshness { return f.closure.freshness }

// RefreshAfter returns the age of knowledge from which a FreshnessBackgroundRefresh flag asks for newer knowledge: the
// shortest among the flag and its prerequisites, 0 if unset in all of them.
func (f *Flag) RefreshAfter() time.Duration { return f.closure.refreshAfter }

// MaxStaleness returns the age of knowledge past which answers are stale: the shortest among the flag and its prerequisites, 0 if unset
// in all of them.
func (f *Flag) MaxStaleness() time.Duration { return f.closure.maxStaleness }

// OnUnreachable returns what the flag answers when its freshness cannot be had: the strictest among the flag and its prerequisites, with
// OnUnreachableError before OnUnreachableDefaultVariant before OnUnreachableServeStale. The default variant is this flag's.
func (f *Flag) OnUnreachable() OnUnreachable { return f.closure.onUnreachable }

// Urgent reports whether the flag, or one of its prerequisites, is of kind ops: such a flag switches something off in an emergency, so it is
// never answered from an older ruleset than the newest.
func (f *Flag) Urgent() bool { return f.urgent }

// EvaluateDefault returns what the flag answers when no rule decides it: the default variant, or nothing if the flag is disabled.
func (f *Flag) EvaluateDefault() Result { return f.settled }

// Settled returns the answer that every context gets at any time, false if there is none or it is an error.
func (f *Flag) Settled() (r Result, ok bool) {
	if f.rule != nil || len(f.prerequisites) > 0 || f.settled.ErrorCode != "" {
		return Result{}, false
	}
	return f.settled, true
}

// Evaluate evaluates the flag for c at the time now; nil is an empty context. It never fails and never blocks: whatever goes wrong is
// in the result, and is counted, see Errors. It uses c as working memory, so no other evaluation may use c at the same time.
func (f *Flag) Evaluate(c *Context, now time.Time) (r Result) {
	f.answer(c, now, &r)
	if r.ErrorCode != "" {
		f.failures.count(r.ErrorCode)
	}
	return r
}

// Try is Evaluate for an answer that no application gets: an error is not counted.
func (f *Flag) Try(c *Context, now time.Time) (r Result) {
	f.answer(c, now, &r)
	return r
}

// answer puts the answer into r, which is zero.
func (f *Flag) answer(c *Context, now time.Time, r *Result) {
	if f.rule == nil && len(f.prerequisites) == 0 {
		*r = f.settled
		return
	}
	if c == nil {
		c = new(Context)
	}
	c.begin(f, now)
	if c.left >= 0 {
		f.evaluate(c, r)
	}
	if c.left < 0 {
		*r = f.exhausted()
	}
	r.TimeDependent, r.ValidUntil = c.clock.result()
	r.ClockRead = c.clock.read || c.clock.unknown
}

// evaluate puts the answer into r, which is zero: results are large, and copying them would cost as much as a simple rule.
func (f *Flag) evaluate(c *Context, r *Result) {
	for i := range f.prerequisites {
		p := &f.prerequisites[i]
		p.flag.evaluate(c, r)
		if !slices.Contains(p.variants, r.Variant) {
			*r = f.off(p)
			return
		}
		*r = Result{}
	}
	if f.rule == nil {
		*r = f.settled
		return
	}
	c.flag, c.rule = f, 0
	f.outcome(c, f.rule.eval(c), r)
	r.Rule = c.rule
}

// off is the answer when a prerequisite is not met.
func (f *Flag) off(p *prerequisite) Result {
	r := f.settled
	r.Reason, r.Metadata = ReasonDefault, p.metadata
	if f.offVariant != nil {
		r.Variant = f.offVariant
	}
	return r
}

// outcome turns the result of the rule into the answer, r, which is zero.
func (f *Flag) outcome(c *Context, v value, r *Result) {
	switch v.kind {
	case kindNull:
		*r = f.settled
		return
	case kindError:
		*r = f.failed(ErrorParse, v.str)
		return
	default:
	}
	variant, ok := f.match(c, v)
	switch {
	case !ok:
		*r = f.failed(ErrorParse, "the targeting rule answered with a number that has no JSON form")
	case variant == nil:
		*r = f.failed(ErrorGeneral, "the targeting rule answered with something that is no variant of the flag")
	case variant.null:
		*r = f.nullVariant()
	default:
		r.Flag, r.Variant, r.Reason, r.Metadata = f, variant, ReasonTargetingMatch, f.metadata
	}
}

func (f *Flag) failed(code ErrorCode, detail string) Result {
	return Result{Flag: f, Reason: ReasonError, ErrorCode: code, Detail: detail, Metadata: f.metadata}
}

func (f *Flag) nullVariant() Result {
	return f.failed(ErrorGeneral, "the value of the variant is null")
}

// settle computes the answer that no rule decides. It must run again after metadata, rule or prerequisites have changed.
func (f *Flag) settle() {
	reason := ReasonDefault
	if f.rule == nil && len(f.prerequisites) == 0 && f.defaultVariant != nil {
		reason = ReasonStatic
	}
	f.settled = Result{Flag: f, Variant: f.defaultVariant, Reason: reason, Metadata: f.metadata}
	if f.defaultVariant != nil && f.defaultVariant.null {
		f.settled = f.nullVariant()
	}
}
