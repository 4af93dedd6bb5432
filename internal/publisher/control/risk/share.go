package risk

import (
	"bytes"
	"maps"
	"slices"

	"github.com/go-json-experiment/json"
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

// changedShare returns the part of the users, of those with a targeting key, whose answer differs between two documents. It is known
// where both are decided by the state, the default variant, or one fractional over the same buckets.
func changedShare(before, after eval.Content) (share float64, known bool) {
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
func sameDecision(f, g eval.Content) bool {
	return f.Enabled == g.Enabled && f.OffVariant == g.OffVariant && f.Salt == g.Salt && fallback(f) == fallback(g) &&
		same(f.Targeting, g.Targeting) && maps.EqualFunc(f.Variants, g.Variants, same) &&
		slices.EqualFunc(f.Prerequisites, g.Prerequisites, func(a, b eval.Prerequisite) bool {
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

// answerOf returns what the application gets for a variant, by name and value.
func answerOf(f eval.Content, variant string) (string, bool) {
	value, ok := f.Variants[variant]
	return variant + "\x00" + string(canonical(value)), ok
}

func fallback(f eval.Content) string {
	if f.DefaultVariant == "" {
		return codeDefault
	}
	answer, _ := answerOf(f, f.DefaultVariant)
	return answer
}

// spans returns who gets what, and by which buckets; nil if that cannot be told without their contexts.
func spans(f eval.Content) (list []span, bucket string) {
	switch {
	case !f.Enabled:
		return []span{{1, codeDefault}}, ""
	case len(f.Prerequisites) > 0:
		return nil, ""
	case f.Targeting == nil:
		return []span{{1, fallback(f)}}, ""
	}
	return fractions(f)
}

// fractions returns the spans of a rule that is one fractional of plain variants and weights.
func fractions(f eval.Content) (list []span, bucket string) {
	var rule map[string][]jsontext.Value
	if json.Unmarshal(f.Targeting, &rule) != nil || len(rule) != 1 || len(rule["fractional"]) == 0 {
		return nil, ""
	}
	arguments := rule["fractional"]
	if arguments[0].Kind() != '[' {
		bucket = string(canonical(arguments[0]))
		arguments = arguments[1:]
	}
	total := 0.0
	for _, argument := range arguments {
		answer, weight, ok := bucketOf(f, argument)
		if !ok {
			return nil, ""
		}
		total += weight
		list = append(list, span{total, answer})
	}
	if total <= 0 {
		return nil, ""
	}
	for i := range list {
		list[i].end /= total
	}
	return list, bucket + "\x00" + f.Salt
}

// bucketOf reads one ["variant", weight] of a fractional; the weight is 1 if it is left out.
func bucketOf(f eval.Content, argument jsontext.Value) (answer string, weight float64, ok bool) {
	var pair []jsontext.Value
	if json.Unmarshal(argument, &pair) != nil || len(pair) == 0 || len(pair) > 2 {
		return "", 0, false
	}
	var variant string
	if json.Unmarshal(pair[0], &variant) != nil || pair[0].Kind() != '"' {
		return "", 0, false
	}
	weight = 1
	if len(pair) == 2 && (pair[1].Kind() != '0' || json.Unmarshal(pair[1], &weight) != nil || weight < 0) {
		return "", 0, false
	}
	answer, ok = answerOf(f, variant)
	return answer, weight, ok
}
