package decide_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/internal/publisher/control/requests"
	"github.com/flagside/flagside/internal/publisher/control/risk"
	"github.com/flagside/flagside/internal/publisher/control/statetest"
)

// spelling writes flag documents in every way that evaluation may accept.
type spelling struct {
	random  *rand.Rand
	anyCase bool
}

// name returns a member's name, perhaps in another case, perhaps with an escape.
func (s spelling) name(name string) string {
	var out strings.Builder
	for _, c := range name {
		switch {
		case s.anyCase && s.random.IntN(3) == 0:
			out.WriteString(strings.ToUpper(string(c)))
		case s.random.IntN(5) == 0:
			fmt.Fprintf(&out, `\u%04x`, c)
		default:
			out.WriteRune(c)
		}
	}
	return out.String()
}

// flag returns a flag that has some members of each kind: the last of several of one name may be another one.
func (s spelling) flag() []byte {
	choices := map[string][]string{
		"state":          {`"ENABLED"`, `"ENABLED"`, `"DISABLED"`, `"disabled"`},
		"variants":       {`{"on":true,"off":false}`, `{"on":1,"off":0}`, `{"off":false,"on":true,"on":false}`},
		"defaultVariant": {`"on"`, `"off"`, `null`, `""`},
		"targeting": {
			`{"if":[{"$ref":"staff"},"on","off"]}`, `{"if":[{"` + s.name("$ref") + `":"st\u0061ff"},"on","off"]}`, `{}`, `null`, `"on"`,
			`{"fractional":[["on",30],["off",70]]}`, `{"if":[{"$ref":"around"},"on","off"]}`,
		},
		"tags":  {`["Security"]`, `["x","security "]`, `[5,"SECURITY"]`, `"security"`, `7`, `["x"]`, `[]`},
		"owner": {`"a"`, `5`},
		"salt":  {`"s"`, `5`},
		"metadata": {
			`{"flagSetId":7}`, `{"flagSetId":"web"}`, `null`, `{"a":[1]}`,
		},
		"key":           {`"other"`},
		"prerequisites": {`[]`, `5`},
	}
	names := []string{"state", "variants", "defaultVariant", "targeting"}
	for name := range choices {
		if s.random.IntN(4) == 0 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	s.random.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	var members []string
	for _, name := range names {
		of := choices[name]
		members = append(members, `"`+s.name(name)+`":`+of[s.random.IntN(len(of))])
	}
	return []byte("{" + strings.Join(members, ",") + "}")
}

// answers returns what the flag answers to some users, as evaluation tells.
func answers(rules *eval.Ruleset) (list []string) {
	now := time.Unix(1e9, 0)
	for i := range 40 {
		var c eval.Context
		if err := rules.DecodeContext(&c, fmt.Appendf(nil, `{"targetingKey":"user-%d","email":"a@example.org"}`, i)); err != nil {
			panic(err)
		}
		r := rules.Flag("f").Evaluate(&c, now)
		variant := ""
		if r.Variant != nil {
			variant = r.Variant.Name() + "=" + string(r.Variant.Encoded())
		}
		list = append(list, fmt.Sprint(variant, r.Reason == eval.ReasonDisabled))
	}
	return list
}

// However a document is spelled that evaluation accepts: what decides who may change it sees what evaluation sees.
func TestRiskReadsWhatEvaluationReads(t *testing.T) {
	t.Parallel()
	for name, compatibility := range map[string]eval.Compatibility{"strict": "", "flagd": eval.CompatibilityFlagd} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := statetest.New()
			if compatibility != "" {
				s.Put(t, document.Document{Kind: document.KindSettings, Key: document.SettingsKey, Body: []byte(`{"compatibility":"flagd"}`)})
			}
			s.Put(t,
				document.Document{Kind: document.KindSegment, Key: "staff", Body: []byte(`{"ends_with":[{"var":"email"},".org"]}`)},
				document.Document{Kind: document.KindSegment, Key: "around", Body: []byte(`{"!":[{"$ref":"staff"}]}`)},
				statetest.FlagDocument("f", statetest.FlagBody("on", "")))
			p := spelled{t: t, state: s, seen: make(map[string]int)}
			for seed := range uint64(4000) {
				w := spelling{random: rand.New(rand.NewPCG(seed, 0)), anyCase: compatibility != ""}
				p.verify(w.flag())
			}
			t.Logf("accepted documents that show %v", p.seen)
			for _, what := range []string{"accepted", "segment", "disabled", "tag", "share"} {
				if p.seen[what] == 0 {
					t.Errorf("no document was accepted that shows %q", what)
				}
			}
		})
	}
}

// spelled compares the risk of documents with their evaluation.
type spelled struct {
	t     *testing.T
	state *statetest.State
	seen  map[string]int
}

func (p spelled) verify(body []byte) {
	next, problems := p.state.Rules().Update([]document.Document{statetest.FlagDocument("f", body)})
	if problems.Err() != nil {
		return // not accepted
	}
	p.seen["accepted"]++
	f := next.Flag("f")
	without, _ := next.Update([]document.Document{{Kind: document.KindSegment, Key: "staff", Body: []byte(`{"==":[1,2]}`)}})
	assessed := risk.Assess(change(p.state, doc("f", body)), risk.Settings{Tags: []string{"security"}, Share: 0.01}, nil, time.Now())
	if !slices.Equal(answers(next), answers(without)) {
		p.seen["segment"]++
		bound := func(b requests.Base) bool { return b.Kind == document.KindSegment && b.Key == "staff" }
		if !slices.ContainsFunc(decide.Bases(p.state, []document.Document{doc("f", body)}), bound) {
			p.t.Errorf("%s: answers depend on the segment, the approval does not", body)
		}
	}
	if disabled := f.EvaluateDefault().Reason == eval.ReasonDisabled; disabled != slices.Contains(codes(assessed), risk.CodeKill) {
		p.t.Errorf("%s: disabled %t, risk %v", body, disabled, codes(assessed))
	} else if disabled {
		p.seen["disabled"]++
	}
	if before, after := answers(p.state.Rules()), answers(next); !slices.Equal(before, after) && assessed.ShareKnown && assessed.Share == 0 {
		p.t.Errorf("%s: answers change, the risk says that none does", body)
	} else if assessed.ShareKnown && assessed.Share > 0 {
		p.seen["share"]++
	}
	p.verifyTags(body, assessed)
}

// verifyTags looks for the word in the text: no other member than tags has it.
func (p spelled) verifyTags(body []byte, assessed access.Risk) {
	text := strings.ToLower(string(body))
	sensitive := strings.Contains(text, "security")
	if sensitive && !slices.Contains(codes(assessed), risk.CodeTag) {
		p.t.Errorf("%s: the tag is not a reason: %v", body, codes(assessed))
	}
	if sensitive {
		p.seen["tag"]++
	}
}
