package resolver_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/sidecar/resolver"
	"github.com/flagside/flagside/internal/waiting"
)

// enriched returns a resolver of the views of w that adds to contexts.
func (w *world) enriched(e resolver.Enrichment) *resolver.Resolver {
	w.t.Helper()
	r, err := resolver.New(resolver.Options{Views: w.store, Log: w, Enrichment: e, Metrics: prometheus.NewRegistry()})
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// headers returns the headers with the values.
func headers(values map[string]string) resolver.Headers {
	h := make(http.Header)
	for name, value := range values {
		h.Set(name, value)
	}
	return resolver.HeadersOf(h)
}

func TestAttributesAreAdded(t *testing.T) {
	w := newWorld(t, "plain", flag(``))
	r := w.enriched(resolver.Enrichment{
		Static:  map[string]string{"region": "eu", "tier": "gold", `quo"te`: `a"b`},
		Headers: map[string]string{"x-tier": "tier", "X-User": "targetingKey"},
	})
	cases := []struct {
		name    string
		request string
		headers map[string]string
		want    string
	}{
		{"nothing said", ``, nil, `{"quo\"te":"a\"b","region":"eu","tier":"gold"}`},
		{"null", `null`, nil, `{"quo\"te":"a\"b","region":"eu","tier":"gold"}`},
		{"empty", ` {} `, nil, `{"quo\"te":"a\"b","region":"eu","tier":"gold"}`},
		{"static before the request", `{"region":"us","a":[1,{"region":2}]}`, nil, `{"a":[1,{"region":2}],"quo\"te":"a\"b","region":"eu","tier":"gold"}`},
		{"an escaped name", `{"reg\u0069on":"us"}`, nil, `{"quo\"te":"a\"b","region":"eu","tier":"gold"}`},
		{"header before static", `{"tier":"x"}`, map[string]string{"X-Tier": "iron"}, `{"quo\"te":"a\"b","region":"eu","tier":"iron"}`},
		{
			"header before the request", `{"targetingKey":"u"}`,
			map[string]string{"X-User": "ada"},
			`{"quo\"te":"a\"b","region":"eu","targetingKey":"ada","tier":"gold"}`,
		},
		{"a header that is missing", `{"targetingKey":"u"}`, nil, `{"targetingKey":"u","quo\"te":"a\"b","region":"eu","tier":"gold"}`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var q resolver.Request
			if err := r.Begin(t.Context(), &q, []byte("plain"), headers(c.headers)); err != nil {
				t.Fatal(err)
			}
			defer q.End()
			got, err := q.Enrich([]byte(c.request))
			if err != nil || string(got) != c.want {
				t.Errorf("got %s, %v\nwant %s", got, err, c.want)
			}
		})
	}
}

func TestContextsThatNothingCanBeAddedTo(t *testing.T) {
	w := newWorld(t, "plain", flag(``))
	r := w.enriched(resolver.Enrichment{Static: map[string]string{"region": "eu"}})
	for _, data := range []string{`[]`, `"secret"`, `{"a":1,"a":2}`, `{"a":secret}`, `{"a":1} {}`, `{"region":1,"region":2}`, `{`, `{"a":"secret`} {
		var one resolver.Request
		begin(t, r, &one, "plain")
		_, err := one.Answer([]byte(data))
		one.End()
		if !errors.Is(err, eval.ErrInvalidContext) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", data, err)
		}
		var all resolver.BulkRequest
		if err := r.BeginAll(t.Context(), &all, resolver.Headers{}); err != nil {
			t.Fatal(err)
		}
		e := encoder{form: "test"}
		answer, err := all.Answer(t.Context(), []byte(data), []byte("*"), &e)
		all.End()
		if !errors.Is(err, eval.ErrInvalidContext) || e.encoded || e.asked != 1 || len(answer.Body) > 0 || answer.NotModified {
			t.Errorf("%s: answered %+v, %v", data, answer, err)
		}
	}
}

// Rules see what was added, and what is remembered belongs to the enriched context.
func TestRulesAndMemoryKnowOfTheEnrichment(t *testing.T) {
	w := newWorld(t, "regional", `{"state":"ENABLED","variants":{"eu":1,"us":2},"defaultVariant":"us","targeting":{"if":[{"==":[{"var":"region"},"eu"]},"eu"]}}`)
	w.Resolver = w.enriched(resolver.Enrichment{Static: map[string]string{"tier": "gold"}, Headers: map[string]string{"X-Region": "region"}})
	w.remember()
	for _, c := range []struct{ region, want string }{{"eu", "all:regional=1."}, {"us", "all:regional=2."}, {"", "all:regional=2."}, {"eu", "all:regional=1."}} {
		waiting.Until(t, "the answer for a region is remembered", func() bool {
			body, remembered := w.allOf("test", headers(map[string]string{"X-Region": c.region}), `{}`)
			if body != c.want {
				t.Errorf("region %q: %s, want %s; remembered: %v", c.region, body, c.want, remembered)
			}
			return remembered
		})
	}
}

func TestEnrichmentThatMakesNoSense(t *testing.T) {
	t.Parallel()
	for name, a := range map[string]resolver.Enrichment{
		"attribute without a name":   {Static: map[string]string{"": "x"}},
		"attribute of evaluation":    {Static: map[string]string{"$flagd": "x"}},
		"header without a name":      {Headers: map[string]string{"": "a"}},
		"header that cannot be":      {Headers: map[string]string{"a b": "a"}},
		"header without attribute":   {Headers: map[string]string{"X-A": ""}},
		"two headers, one attribute": {Headers: map[string]string{"X-A": "a", "X-B": "a"}},
	} {
		if err := a.Validate(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if err := (resolver.Enrichment{Static: map[string]string{"a": ""}, Headers: map[string]string{"X-A": "a"}}).Validate(); err != nil {
		t.Error(err)
	}
}

// object returns the JSON object that data begin with, an empty one if there is none.
func object(data []byte) map[string]any {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber() // some are out of range, which is not looked at here
	var members map[string]any
	if err := d.Decode(&members); err != nil || members == nil {
		return make(map[string]any)
	}
	return members
}

// FuzzEnrichment compares merging with maps: strictly and with flagd, an enriched context reads as the request with its members replaced.
func FuzzEnrichment(f *testing.F) {
	for _, seed := range []string{
		``, `null`, `{}`, `{"region":1,"a":{"region":2}}`, `{"a":1,"a":2}`, `{"\u0061":1}`, `[]`, `"x"`, `{"a":1}x`, "{\"a\":\"\xff\"}", `{"\ud800":1}`,
		` {"a" : [ 1 , 2 ] , "tier":{} } `, `{"a":1,}`, `{"b":1e400}`,
	} {
		f.Add([]byte(seed), "iron", true)
		f.Add([]byte(seed), "", false)
	}
	worlds := map[bool]*resolver.Resolver{}
	enrichment := resolver.Enrichment{Static: map[string]string{"region": "eu", "tier": "gold"}, Headers: map[string]string{"X-Tier": "tier", "X-A": "a"}}
	for _, flagd := range []bool{false, true} {
		w := newWorld(f, "plain", flag(``))
		if flagd {
			w.settings(`{"compatibility":"flagd"}`)
		}
		worlds[flagd] = w.enriched(enrichment)
	}
	f.Fuzz(func(t *testing.T, data []byte, header string, flagd bool) {
		var q resolver.Request
		if err := worlds[flagd].Begin(t.Context(), &q, []byte("plain"), headers(map[string]string{"X-Tier": header})); err != nil {
			t.Fatal(err)
		}
		defer q.End()
		if q.Lenient() != flagd {
			t.Fatal("the compatibility is another")
		}
		got, err := q.Enrich(data)
		if err != nil {
			return // Nothing is evaluated then.
		}
		merged, want := object(got), object(data)
		want["region"], want["tier"] = "eu", "gold"
		if header != "" {
			want["tier"] = strings.ToValidUTF8(header, "\uFFFD")
			if strings.ToValidUTF8(header, "") != header {
				delete(want, "tier") // replaced, in whatever number of characters
				delete(merged, "tier")
			}
		}
		if diff := cmp.Diff(want, merged); diff != "" {
			t.Errorf("%q (-want +got):\n%s", data, diff)
		}
	})
}
