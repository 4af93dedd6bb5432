package ofrep

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/valyala/fasthttp"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/sidecar/resolver"
	"github.com/flagside/flagside/sync/changelog"
)

// kindsOfFlags are members of flags that answer in every way there is. Some do not compile.
var kindsOfFlags = []string{
	`"defaultVariant":"b"`,
	`"defaultVariant":"b","metadata":{"owner":"shop","note":"\"quoted\" \u20ac"}`,
	`"defaultVariant":"a","metadata":{"flagSetId":"set"}`,
	`"defaultVariant":"a","state":"DISABLED"`,
	`"metadata":{"flagSetId":"set"}`,
	`"targeting":{"if":[{"==":[{"var":"plan"},"gold"]},"a",{"==":[{"var":"plan"},"free"]},"a","b"]}`,
	`"defaultVariant":"b","targeting":{"if":[{"==":[{"var":"plan"},"gold"]},"a"]},"metadata":{"flagSetId":"set"}`,
	`"targeting":{"fractional":[["a",50],["b",50]]}`,
	`"targeting":{"if":[{"var":"plan"},"no variant","a"]}`,
	`"defaultVariant":"b","targeting":{"var":"plan"}`,
	`"targeting":{"if":[{"in":["x",{"var":"list"}]},"a","b"]}`,
	`"targeting":{"cat":[{"var":""}]}`,
	`"targeting":{"if":[{"==":[{"var":{"cat":["ot","her"]}},"x"]},"a","b"]}`,
	`"targeting":{"if":[{"==":[{"var":"device.os"},"ios"]},"a",{"in":[{"var":"plan"},["gold","silver"]]},"b","large"]}`,
	`"targeting":{"if":[{"<=":[1003,{"var":"$flagd.timestamp"},1009]},"a","b"]}`,
	`"targeting":{"if":[{"%":[{"var":"$flagd.timestamp"},2]},"a","b"]}`,
	`"defaultVariant":"b","offVariant":"a","prerequisites":[{"flag":"plan","variants":["a"]}]`,
	`"defaultVariant":"b","prerequisites":[{"flag":"flag-0","variants":["a"]}],"targeting":{"if":[{"var":"plan"},"a"]}`,
	`"defaultVariant":"b","maxStaleness":"10s"`,
	`"defaultVariant":"b","freshness":"always_fresh","onUnreachable":"error"`,
	`"defaultVariant":"b","freshness":"always_fresh","onUnreachable":"default_variant","targeting":{"var":"plan"}`,
	`"defaultVariant":"a","targeting":{"no such operator":[]}`,
	`"defaultVariant":"nowhere"`,
	`"defaultVariant":"large"`,
	`"targeting":{"if":[{"var":"plan"},"large","a"]}`,
}

// putAny commits a flag of a kind, or deletes it.
func (f *fleet) putAny(key string, kind int) {
	e := changelog.Entry{Kind: document.KindFlag, Key: key}
	if kind < len(kindsOfFlags) {
		members := kindsOfFlags[kind]
		if !strings.Contains(members, `"state"`) {
			members += `,"state":"ENABLED"`
		}
		e.Put = []byte(`{"variants":{"a":{"n":[1,2.50]},"b":{"text":"<\"\u20ac\">"},"large":{"text":"` + strings.Repeat("x", 2000) + `"}},` + members + `}`)
	}
	if e.Put == nil {
		delete(f.documents, e.ID())
	}
	f.commit(e)
}

// itemByItem returns the body of an answer as it is encoded without anything that is kept.
func (s *sidecar) itemByItem(t testing.TB, h resolver.Headers, data string) (body string) {
	t.Helper()
	var q resolver.BulkRequest
	if err := s.resolver.BeginAll(context.Background(), &q, h); err != nil {
		return ""
	}
	defer q.End()
	results, err := q.Results([]byte(data))
	if err != nil {
		return ""
	}
	var items [][]byte
	for r := range results.All(context.Background()) {
		items = append(items, appendResult(nil, r.Flag.Key(), &r))
	}
	return fmt.Sprintf(`{"flags":[%s],"metadata":%s}`, bytes.Join(items, []byte(",")), results.Metadata())
}

// ended returns how many evaluations ended in which way, and how many were stale.
func (s *sidecar) ended(t testing.TB) map[string]float64 {
	t.Helper()
	families, err := s.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]float64)
	for _, family := range families {
		switch family.GetName() {
		case "flagside_evaluations_total", "flagside_evaluation_errors_total", "flagside_stale_answers_total":
			for _, metric := range family.GetMetric() {
				all[family.GetName()+metric.GetLabel()[0].GetValue()] = metric.GetCounter().GetValue()
			}
		}
	}
	return all
}

// Answers that are put together from items which are kept have the bytes of those that are encoded item by item, and count as these do, while
// flags of all kinds change and knowledge becomes stale.
func FuzzItems(f *testing.F) {
	random := rand.NewChaCha8([32]byte{1})
	for i := range 60 {
		script := make([]byte, 30+i)
		_, _ = random.Read(script) // it never fails
		f.Add(script, `{"plan":"gold","targetingKey":"x"}`, "flagSetId=two words")
	}
	f.Fuzz(func(t *testing.T, script []byte, data, selector string) {
		const most = 80
		contexts := []string{
			data, `{}`, `{"plan":"a"}`, `{"plan":"a","list":["x"]}`, `{"plan":"a","list":["y"]}`, `{"plan":"gold","targetingKey":"1"}`, `{"plan":"free","targetingKey":"1"}`, `{"plan":3,"targetingKey":"3"}`,
			`{"plan":"gold","targetingKey":"1","other":"x"}`, `{"plan":"gold","targetingKey":"1","device":{"os":"ios"}}`, `{"plan":"gold","targetingKey":"1","device":["ios"]}`,
		}
		selectors := []string{"", "", "flagSetId=", "flagSetId=set", selector}
		fleet := newFleet(t)
		kept, plain := fleet.sidecars[0], fleet.sidecars[1]
		key := func(n int) string { return fmt.Sprint("flag-", n%16) }
		for i := range 16 {
			fleet.putAny(key(i), i*3%len(kindsOfFlags))
		}
		for i, step := range script[:min(len(script), most)] {
			low := int(step & 0x3f)
			switch {
			case step < 0x40:
				fleet.putAny(key(i*5), low%(len(kindsOfFlags)+1))
				continue
			case step < 0x50:
				fleet.clock = time.Unix(1000+int64(low&0xf), 0)
				continue
			case step < 0x60:
				kept.age = time.Duration(low&4) * 10 * time.Second
				plain.age = kept.age
				continue
			}
			fleet.deliver(kept)
			fleet.deliver(plain)
			fresh, application := "", ""
			if low%11 == 0 {
				fresh = "always_fresh"
			}
			if i%11 > 7 {
				application = "cart"
			}
			data, selector := contexts[low%len(contexts)], selectors[i/9%len(selectors)]
			var ctx fasthttp.RequestCtx
			ask(&ctx, "", `{"context":`+data+`}`)
			ctx.Request.Header.Set(resolver.HeaderSelector, selector)
			ctx.Request.Header.Set(resolver.HeaderFreshness, fresh)
			ctx.Request.Header.Set(resolver.HeaderApplication, application)
			kept.handle(&ctx)
			if ctx.Response.StatusCode() != fasthttp.StatusOK {
				plain.handle(&ctx) // which counts the failure, too
				continue
			}
			got := string(ctx.Response.Body())
			want := plain.itemByItem(t, resolver.Headers{
				Selector: ctx.Request.Header.Peek(resolver.HeaderSelector), Freshness: []byte(fresh), Application: []byte(application),
			}, data)
			if got != want {
				t.Fatalf("step %d, selector %q, context %s, %s:\n%s\nitem by item\n%s", i, selector, data, fresh, got, want)
			}
			tag := string(ctx.Response.Header.Peek(fasthttp.HeaderETag))
			if known, ok := fleet.bodies[tag]; ok && known != got {
				t.Fatalf("%s stands for two answers:\n%s\n%s", tag, known, got)
			}
			fleet.bodies[tag] = got
		}
		if diff := cmp.Diff(plain.ended(t), kept.ended(t)); diff != "" {
			t.Errorf("evaluations are counted otherwise (-item by item +kept):\n%s", diff)
		}
		if diff := cmp.Diff(plain.counts.Collect(), kept.counts.Collect()); diff != "" {
			t.Errorf("usage is counted otherwise (-item by item +kept):\n%s", diff)
		}
	})
}
