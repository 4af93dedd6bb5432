package risk

import (
	"bytes"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/flagside/flagside/eval"
)

// span is a part of the users, from where the one before ends up to a fraction of all, who get the same answer.
type span struct {
	end    float64
	answer string
}

// codeDefault is the answer that leaves it to the application. No variant's answer begins like it.
const codeDefault = "\x00"

// changedShare returns the part of the users, of those with a targeting key, whose answer differs between two versions of a flag. It is known
// where both are decided by the state, the default variant, or one fractional over the same buckets.
func changedShare(before, after *eval.Flag) (share float64, known bool) {
	if sameDecision(before, after) {
		return 0, true
	}
	old, oldBucket := spans(before)
	next, nextBucket := spans(after)
	if old == nil || next == nil {
		return 0, false
	}
	if len(old) > 1 && len(next) > 1 && oldBucket != nextBucket {
		return 0, false
	}
	from := 0.0
	for len(old) > 0 && len(next) > 0 {
		end := min(old[0].end, next[0].end)
		if old[0].answer != next[0].answer {
			share += end - from
		}
		if old[0].end <= end {
			old = old[1:]
		}
		if len(next) > 0 && next[0].end <= end {
			next = next[1:]
		}
		from = end
	}
	return share, true
}

// sameDecision reports whether everything that decides answers is the same in both.
func sameDecision(f, g *eval.Flag) bool {
	return f.Enabled() == g.Enabled() && f.Salt() == g.Salt() && answerOf(f.OffVariant()) == answerOf(g.OffVariant()) &&
		answerOf(f.DefaultVariant()) == answerOf(g.DefaultVariant()) && same(f.Targeting(), g.Targeting()) &&
		slices.EqualFunc(f.Variants(), g.Variants(), func(a, b *eval.Variant) bool { return answerOf(a) == answerOf(b) }) &&
		slices.EqualFunc(f.Prerequisites(), g.Prerequisites(), func(a, b eval.Prerequisite) bool {
			return a.Flag == b.Flag && slices.Equal(a.Variants, b.Variants)
		})
}

func same(a, b []byte) bool { return bytes.Equal(canonical(a), canonical(b)) }

// canonical returns the one spelling of a JSON value, and what cannot be spelled so as it is.
func canonical(text []byte) []byte {
	v := jsontext.Value(text).Clone()
	if len(v) == 0 || v.Canonicalize() != nil {
		return text
	}
	return v
}

// answerOf returns what the application gets for a variant, by name and value; for none it is left to the application.
func answerOf(v *eval.Variant) string {
	if v == nil {
		return codeDefault
	}
	return v.Name() + "\x00" + string(canonical(v.Encoded()))
}

// spans returns who gets what, and by which buckets; nil if that cannot be told without their contexts.
func spans(f *eval.Flag) (list []span, bucket string) {
	switch {
	case !f.Enabled():
		return []span{{1, codeDefault}}, ""
	case len(f.Prerequisites()) > 0:
		return nil, ""
	case f.Targeting() == nil:
		return []span{{1, answerOf(f.DefaultVariant())}}, ""
	}
	shares, seed, ok := f.Split()
	if !ok {
		return nil, ""
	}
	total := 0.0
	for _, s := range shares {
		total += float64(s.Weight)
		list = append(list, span{total, answerOf(s.Variant)})
	}
	for i := range list {
		list[i].end /= total
	}
	return list, string(canonical(seed)) + "\x00" + f.Salt()
}
