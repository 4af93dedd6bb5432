package dev_test

import (
	"bytes"
	stdjson "encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/waiting"
)

// answer is what is told of a flag, by whomever.
type answer struct {
	Key       string         `json:"key"`
	Reason    string         `json:"reason,omitempty"`
	Variant   string         `json:"variant,omitempty"`
	Value     jsontext.Value `json:"value,omitempty"`
	ErrorCode string         `json:"errorCode,omitempty"`
}

// Whatever the context is, the console tells of each flag what a sidecar answers: the same value, variant, reason and error.
func TestTheConsoleAnswersAsASidecar(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("-short: asks a sidecar a thousand times")
	}
	s := natstest.Start(t)
	p := startPublisher(t, s)
	if _, err := p.CreateEnvironment(t.Context(), api.NewEnvironment{Name: natstest.Environment}, api.AdministrationHeaders{}); err != nil {
		t.Fatal(err)
	}
	written, err := p.ChangeDocuments(t.Context(), natstest.Environment, api.ChangeDocuments{Changes: theShop(t)}, api.ChangeHeaders{})
	if err != nil {
		t.Fatal(err)
	}
	c := &counting{t: t, server: s, dir: t.TempDir()}
	c.start()
	waiting.Until(t, "the sidecar serves "+written.Revision, func() bool {
		e, err := p.Evaluate(t.Context(), natstest.Environment, api.Evaluate{Contexts: []stdjson.RawMessage{[]byte(`{}`)}})
		return err == nil && e.Revision == written.Revision && len(c.bulk(`{}`)) == len(e.Items)
	})
	random := rand.New(rand.NewPCG(19, 11))
	const contexts, together = 1000, 25
	told := map[string]int{}
	for range contexts / together {
		var batch []stdjson.RawMessage
		for range together {
			batch = append(batch, randomContext(random))
		}
		e, err := p.Evaluate(t.Context(), natstest.Environment, api.Evaluate{Contexts: batch})
		if err != nil {
			t.Fatal(err)
		}
		for i, data := range batch {
			got := told1(e, i)
			want := c.bulk(string(data))
			if !cmp.Equal(want, got) { // a second has passed between the two, in which a sale has begun
				again, err := p.Evaluate(t.Context(), natstest.Environment, api.Evaluate{Contexts: []stdjson.RawMessage{data}})
				if err != nil {
					t.Fatal(err)
				}
				got, want = told1(again, 0), c.bulk(string(data))
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("in %s the sidecar answers - and the console tells +\n%s", data, diff)
			}
			for _, one := range got {
				told[one.Reason+" "+one.ErrorCode]++
			}
		}
	}
	t.Log(told)
	for _, reason := range []string{"TARGETING_MATCH ", "STATIC ", "DEFAULT ", "DISABLED ", "ERROR GENERAL"} {
		if told[reason] == 0 {
			t.Errorf("no answer had the reason %s: the contexts reach too little", reason)
		}
	}
}

// told1 returns what the console tells of all flags in one of the contexts, by key.
func told1(e api.Evaluations, place int) []answer {
	var all []answer
	for _, one := range e.Items {
		if one.Context == place {
			all = append(all, answer{Key: one.Flag, Reason: one.Reason, Variant: one.Variant, Value: jsontext.Value(one.Value), ErrorCode: one.ErrorCode})
		}
	}
	return all
}

// bulk returns what the sidecar answers for all flags, by key.
func (c *counting) bulk(data string) []answer {
	c.t.Helper()
	request, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, "http://"+c.sidecar.OFREPAddr().String()+"/ofrep/v1/evaluate/flags",
		bytes.NewReader([]byte(`{"context":`+data+`}`)))
	if err != nil {
		c.t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		c.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		c.t.Fatalf("%s: %d %s, %v", data, response.StatusCode, body, err)
	}
	var all struct {
		Flags []answer `json:"flags"`
	}
	if err := json.Unmarshal(body, &all); err != nil {
		c.t.Fatal(err)
	}
	for i := range all.Flags {
		if all.Flags[i].ErrorCode != "" {
			all.Flags[i].Reason = "ERROR" // which OFREP has no member for
		}
	}
	return all.Flags
}

// theShop is the flags of the example shop, a flag that is off, and one that cannot evaluate.
func theShop(t *testing.T) []api.CommandChange {
	t.Helper()
	text, err := os.ReadFile("../../examples/flags.json")
	if err != nil {
		t.Fatal(err)
	}
	var all struct {
		Evaluators map[string]jsontext.Value `json:"$evaluators"`
		Flags      map[string]jsontext.Value `json:"flags"`
	}
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	changes := []api.CommandChange{
		{Key: "z-off", Document: []byte(`{"state":"DISABLED","variants":{"on":true,"off":false},"defaultVariant":"on","offVariant":"off"}`)},
		{Key: "z-keyed", Document: []byte(`{"state":"ENABLED","variants":{"a":{"n":9007199254740993},"b":{"n":1.0}},"defaultVariant":"a","targeting":{"fractional":[["a",1],["b",1]]}}`)},
		{Key: "z-wrong", Document: []byte(`{"state":"ENABLED","variants":{"a":1,"b":2},"defaultVariant":"a","targeting":{"var":"tier"}}`)},
	}
	for _, key := range slices.Sorted(maps.Keys(all.Evaluators)) {
		changes = append(changes, api.CommandChange{Kind: string(document.KindSegment), Key: key, Document: []byte(all.Evaluators[key])})
	}
	for _, key := range slices.Sorted(maps.Keys(all.Flags)) {
		changes = append(changes, api.CommandChange{Key: key, Document: []byte(all.Flags[key])})
	}
	return changes
}

// randomContext returns a context in which some attributes are missing, some are as rules want them, and some are of another type.
func randomContext(random *rand.Rand) []byte {
	pick := func(values ...any) any { return values[random.IntN(len(values))] }
	attributes := map[string]func() any{
		"targetingKey": func() any { return pick("c-1001", "u"+fmt.Sprint(random.IntN(1<<20)), "", "ü\u202e", "c-8080") },
		"country":      func() any { return pick("DE", "NL", "SE", "US", "CA", "GB", "de", nil, 7) },
		"email":        func() any { return pick("ada@shop.example", "ada@example.com", "@shop.example", "", []any{"x"}) },
		"platform":     func() any { return pick("ios", "android", "tv", "web", true) },
		"appVersion":   func() any { return pick("7.2.0", "5.9.9", "v7", "not a version", 7.2, "10.0.0-rc.1") },
		"tier":         func() any { return pick("platinum", "gold", "a", "b", "silver", []any{}, 1) },
		"orders":       func() any { return pick(0, 9, 10, 11, "10", 1e300, -1, nil) },
		"accountType":  func() any { return pick("business", "private") },
		"roles": func() any {
			return pick([]any{"support-lead"}, []any{"support-agent", 3}, "support-lead", map[string]any{"a": 1})
		},
		"postcode":  func() any { return pick("10115", "20095", "99999", 10115) },
		"theme":     func() any { return pick("dark", "light", "neon", nil) },
		"network":   func() any { return pick("office", "home") },
		"accept":    func() any { return pick("image/avif,image/webp", "image/webp", "") },
		"sessionId": func() any { return pick(fmt.Sprint(random.Uint64()), "") },
		"orderId":   func() any { return pick(fmt.Sprint(random.Uint64()), random.IntN(100)) },
		"consent":   func() any { return pick(map[string]any{"personalisation": true}, map[string]any{}, "yes") },
	}
	context := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		if value := attributes[name](); random.IntN(3) > 0 {
			context[name] = value
		}
	}
	data, err := json.Marshal(context, json.Deterministic(true))
	if err != nil {
		panic(err)
	}
	return data
}
