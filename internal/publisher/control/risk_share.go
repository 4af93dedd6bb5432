package control

import (
	"bytes"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// flagDocument is what matters of a flag's document when it is compared with another one.
type flagDocument struct {
	State          string                    `json:"state"`
	Variants       map[string]jsontext.Value `json:"variants"`
	DefaultVariant *string                   `json:"defaultVariant"`
	Targeting      jsontext.Value            `json:"targeting"`
	Prerequisites  jsontext.Value            `json:"prerequisites"`
	OffVariant     string                    `json:"offVariant"`
	Salt           string                    `json:"salt"`
	Tags           []string                  `json:"tags"`
	Owner          string                    `json:"owner"`
	Kind           string                    `json:"kind"`
	Metadata       struct {
		FlagSetID string `json:"flagSetId"`
	} `json:"metadata"`
}

// readFlag reads a flag's document, which was compiled. What does not fit is as if it were missing; nil has nothing.
func readFlag(body []byte) flagDocument {
	var f flagDocument
	if body == nil || json.Unmarshal(body, &f) != nil {
		return flagDocument{}
	}
	return f
}

// span is a part of the users, from where the one before ends up to a fraction of all, who get the same answer.
type span struct {
	end    float64
	answer string
}

// codeDefault is the answer that leaves it to the application. No variant's answer begins like it.
const codeDefault = "\x00"

// changedShare returns the part of the users, of those with a targeting key, whose answer differs between two documents. It is known
// where both are decided by the state, the default variant, or one fractional over the same buckets.
func changedShare(before, after flagDocument) (share float64, known bool) {
	if before.decides(after) {
		return 0, true
	}
	old, oldBucket := before.spans()
	next, nextBucket := after.spans()
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

// decides reports whether everything that decides answers is the same in both.
func (f flagDocument) decides(g flagDocument) bool {
	if f.State != g.State || f.OffVariant != g.OffVariant || f.Salt != g.Salt || len(f.Variants) != len(g.Variants) ||
		!same(f.Targeting, g.Targeting) || !same(f.Prerequisites, g.Prerequisites) || f.fallback() != g.fallback() {
		return false
	}
	for name, value := range f.Variants {
		other, ok := g.Variants[name]
		if !ok || !same(value, other) {
			return false
		}
	}
	return true
}

func same(a, b jsontext.Value) bool { return bytes.Equal(canonical(a), canonical(b)) }

func canonical(v jsontext.Value) []byte {
	if len(v) == 0 {
		return nil
	}
	v = v.Clone()
	if v.Canonicalize() != nil {
		return nil
	}
	return v
}

// answer returns what the application gets for a variant, by name and value.
func (f flagDocument) answer(variant string) (string, bool) {
	value, ok := f.Variants[variant]
	return variant + "\x00" + string(canonical(value)), ok
}

func (f flagDocument) fallback() string {
	if f.DefaultVariant == nil {
		return codeDefault
	}
	answer, _ := f.answer(*f.DefaultVariant)
	return answer
}

// spans returns who gets what, and by which buckets; nil if that cannot be told without their contexts.
func (f flagDocument) spans() (list []span, bucket string) {
	switch rule := canonical(f.Targeting); {
	case f.State != "ENABLED":
		return []span{{1, codeDefault}}, ""
	case len(f.Prerequisites) > 0 && string(canonical(f.Prerequisites)) != "[]":
		return nil, ""
	case rule == nil || string(rule) == "{}" || string(rule) == "null":
		return []span{{1, f.fallback()}}, ""
	}
	return f.fractions()
}

// fractions returns the spans of a rule that is one fractional of plain variants and weights.
func (f flagDocument) fractions() (list []span, bucket string) {
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
		answer, weight, ok := f.bucket(argument)
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

// bucket reads one ["variant", weight] of a fractional; the weight is 1 if it is left out.
func (f flagDocument) bucket(argument jsontext.Value) (answer string, weight float64, ok bool) {
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
	answer, ok = f.answer(variant)
	return answer, weight, ok
}
