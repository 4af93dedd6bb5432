package risk_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/control/risk"
	"github.com/flagside/flagside/internal/publisher/control/statetest"
)

func codes(r access.Risk) []string {
	var list []string
	for _, reason := range r.Reasons {
		list = append(list, reason.Code)
	}
	return list
}

func doc(key string, body []byte) document.Document {
	return document.Document{Kind: document.KindFlag, Key: key, Body: body}
}

// change returns the change that documents make to a state.
func change(s *statetest.State, documents ...document.Document) risk.Change {
	next, _ := s.Rules().Update(documents)
	return risk.Change{Before: s.Rules(), After: next, Documents: documents}
}

func TestRiskNamesEachReason(t *testing.T) {
	t.Parallel()
	noon := time.Date(2001, 1, 1, 12, 0, 0, 0, time.UTC)
	s := statetest.Shop(t)
	s.Put(t, statetest.FlagDocument("paid", statetest.FlagBody("on", `,"tags":["payments"],"targeting":{"if":[{"$ref":"staff"},"on","off"]}`)))
	s.Put(t, statetest.FlagDocument("plain", statetest.FlagBody("on", "")))
	numbers := []byte(`{"state":"ENABLED","variants":{"on":1,"off":0},"defaultVariant":"on"}`)
	disabled := []byte(`{"state":"DISABLED","variants":{"on":true,"off":false},"defaultVariant":"on"}`)
	segment := document.Document{Kind: document.KindSegment, Key: "staff", Body: []byte(`{"ends_with":[{"var":"email"},".org"]}`)}
	calm := risk.Settings{Tags: []string{"payments"}, Share: 0.25, Dependants: 2}
	unused := func(string) risk.Use { return risk.Use{Known: true} }
	used := func(string) risk.Use { return risk.Use{Known: true, InUse: true, By: []string{"shop"}} }
	for name, c := range map[string]struct {
		change   document.Document
		settings risk.Settings
		usage    risk.Usage
		want     []string
	}{
		"a description":         {doc("c", append([]byte(nil), statetest.FlagBody("on", `,"description":"x","targeting":{"if":[{"$ref":"staff"},"on","off"]}`)...)), calm, unused, nil},
		"a new flag":            {doc("new", statetest.FlagBody("on", "")), calm, nil, nil},
		"protected":             {doc("new", statetest.FlagBody("on", "")), risk.DefaultSettings("prod"), unused, []string{risk.CodeProtected}},
		"another environment":   {doc("new", statetest.FlagBody("on", "")), risk.DefaultSettings("staging"), unused, nil},
		"a new flag with a tag": {doc("new", statetest.FlagBody("on", `,"tags":["payments"]`)), calm, unused, []string{risk.CodeTag}},
		"a tag that goes":       {doc("paid", statetest.FlagBody("on", `,"targeting":{"if":[{"$ref":"staff"},"on","off"]}`)), calm, unused, []string{risk.CodeTag}},
		"another default":       {doc("a", statetest.FlagBody("off", "")), calm, unused, []string{risk.CodeShare}},
		"a removal":             {doc("b", nil), calm, unused, []string{risk.CodeRemoval, risk.CodeShare}},
		"a removal in use":      {doc("b", nil), calm, used, []string{risk.CodeRemoval, risk.CodeUsed, risk.CodeShare}},
		"another type":          {doc("b", numbers), calm, unused, []string{risk.CodeType}},
		"a kill in use":         {doc("plain", disabled), calm, used, []string{risk.CodeKill, risk.CodeShare}},
		"a kill of unknown use": {doc("plain", disabled), calm, nil, []string{risk.CodeKill, risk.CodeShare}},
		"a kill out of use":     {doc("plain", disabled), calm, unused, []string{risk.CodeShare}},
		"a segment":             {segment, calm, unused, []string{risk.CodeTag, risk.CodeDependants}},
		"a freeze": {doc("new", statetest.FlagBody("on", "")), risk.Settings{
			Freezes: []risk.Freeze{{From: noon, To: noon.Add(time.Hour), Reason: "Sales."}},
		}, unused, []string{risk.CodeFreeze}},
		"after a freeze": {doc("new", statetest.FlagBody("on", "")), risk.Settings{
			Freezes: []risk.Freeze{{From: noon.Add(-time.Hour), To: noon}},
		}, unused, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			risk := risk.Assess(change(s, c.change), c.settings, c.usage, noon)
			got := codes(risk)
			if name == "another type" { // the values differ too
				got = got[:1]
			}
			if diff := cmp.Diff(c.want, got); diff != "" || risk.High != (len(c.want) > 0) {
				t.Errorf("reasons (-want +got):\n%s%+v", diff, risk)
			}
		})
	}
}

func TestShareOfUsersIsExact(t *testing.T) {
	t.Parallel()
	fractional := func(more string, weights ...int) []byte {
		rule := ""
		for i, w := range weights {
			rule += fmt.Sprintf(`,[%q,%d]`, []string{"on", "off", "other"}[i], w)
		}
		return fmt.Appendf(nil, `{"state":"ENABLED","variants":{"on":"1","off":"2","other":"3"},"defaultVariant":"off","targeting":{"fractional":[%s]}%s}`, rule[1:], more)
	}
	plain := func(variant string) []byte {
		return fmt.Appendf(nil, `{"state":"ENABLED","variants":{"on":"1","off":"2","other":"3"},"defaultVariant":%q}`, variant)
	}
	byMail := []byte(`{"state":"ENABLED","variants":{"on":"1","off":"2","other":"3"},"defaultVariant":"off",
		"targeting":{"fractional":[{"var":"email"},["on",10],["off",90]]}}`)
	for name, c := range map[string]struct {
		before, after []byte
		share         float64
		known         bool
	}{
		"a step of a rollout":   {fractional("", 10, 90), fractional("", 30, 70), 0.2, true},
		"other weights":         {fractional("", 1, 9), fractional("", 10, 90), 0, true},
		"everybody moves":       {fractional("", 50, 50, 0), fractional("", 0, 50, 50), 1, true},
		"a third variant":       {fractional("", 50, 50), fractional("", 50, 25, 25), 0.25, true},
		"all at once":           {fractional("", 10, 90), plain("on"), 0.9, true},
		"begin of a rollout":    {plain("off"), fractional("", 1, 99), 0.01, true},
		"other buckets":         {fractional("", 10, 90), byMail, 0, false},
		"a salt":                {fractional("", 10, 90), fractional(`,"salt":"x"`, 10, 90), 0, false},
		"nothing that counts":   {fractional("", 10, 90), fractional(`,"owner":"x"`, 10, 90), 0, true},
		"the default of a rule": {plain("on"), plain("other"), 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := statetest.New()
			s.Put(t, document.Document{Kind: document.KindFlag, Key: "f", Body: c.before})
			risk := risk.Assess(change(s, doc("f", c.after)), risk.Settings{}, nil, time.Time{})
			if risk.ShareKnown != c.known || math.Abs(risk.Share-c.share) > 1e-9 {
				t.Errorf("share %v, known %v, want %v, %v", risk.Share, risk.ShareKnown, c.share, c.known)
			}
		})
	}
}

// The share is that of the users for whom an evaluation answers otherwise.
func TestShareAgreesWithEvaluation(t *testing.T) {
	t.Parallel()
	body := func(on int) []byte {
		return fmt.Appendf(nil, `{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off","targeting":{"fractional":[["on",%d],["off",%d]]}}`, on, 100-on)
	}
	before, after := statetest.New(), statetest.New()
	before.Put(t, statetest.FlagDocument("f", body(10)))
	after.Put(t, statetest.FlagDocument("f", body(35)))
	risk := risk.Assess(change(before, doc("f", body(35))), risk.Settings{}, nil, time.Time{})
	const users = 20000
	changed := 0
	answer := func(s *statetest.State, user int) string {
		var c eval.Context
		if err := s.Rules().DecodeContext(&c, fmt.Appendf(nil, `{"targetingKey":"user %d"}`, user)); err != nil {
			t.Fatal(err)
		}
		return s.Rules().Flag("f").Evaluate(&c, time.Time{}).Variant.Name()
	}
	for user := range users {
		if answer(before, user) != answer(after, user) {
			changed++
		}
	}
	if got := float64(changed) / users; math.Abs(got-risk.Share) > 0.02 {
		t.Errorf("%v of the users get another answer, and the risk says %v", got, risk.Share)
	}
}
