package ofrep

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/flagside/flagside/cache"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/sidecar/resolver"
)

// readers are flags that read contexts in every way there is, and one that reads nothing.
const readers = `{"flags":{
  "static":   {"state":"ENABLED","variants":{"on":true},"defaultVariant":"on"},
  "member":   {"state":"ENABLED","variants":{"a":1,"b":2},"defaultVariant":"b","targeting":{"if":[{"==":[{"var":"a"},1]},"a","b"]}},
  "deeper":   {"state":"ENABLED","variants":{"a":1,"b":2},"defaultVariant":"b","targeting":{"if":[{"==":[{"var":"b.c"},"x"]},"a","b"]}},
  "element":  {"state":"ENABLED","variants":{"a":1,"b":2},"defaultVariant":"b","targeting":{"if":[{"var":"b.d.1.e"},"a","b"]}},
  "whole":    {"state":"ENABLED","variants":{"a":1,"b":2},"defaultVariant":"b","targeting":{"if":[{"in":["x",{"cat":[{"var":""},{"var":{"var":"a"}}]}]},"a","b"]}},
  "exposed":  {"state":"ENABLED","variants":{"on":true},"defaultVariant":"on","exposures":true},
  "rollout":  {"state":"ENABLED","variants":{"a":1,"b":2},"defaultVariant":"a","targeting":{"fractional":[["a",50],["b",50]]}}
}}`

// What reading a body in one pass makes of it is what reading the body, and then the context, makes of it; and it leaves to that what that refuses.
func FuzzBodyInOnePass(f *testing.F) {
	deep := strings.Repeat("[", 31) + strings.Repeat("]", 31)
	for _, seed := range []string{
		``, ` `, `null`, `{}`, `[]`, `{"context":null}`, `{"context":{}}`, `{"context":{"a":1}}`, `{"context":{"a":1,"a":2}}`, `{"Context":{"a":1}}`,
		`{"context":{"a":1},"context":{"a":2}}`, `{"context":{"a":1}} x`, `{"context":{"a":"\ud800"}}`, "{\"context\":{\"a\":\"\xff\"}}", `{"context":5}`,
		`{"x":{"context":{"a":2}},"context" : {"a":1} , "y":[1,{"a":1}]}`, `{"conte\u0078t":{"a":1}}`, `{"context":{"b":{"c":"x","d":[0,{"e":true}]}}}`,
		`{"x":{"a":1,"a":1},"context":{"a":1}}`, `{"x":1e400,"context":{}}`, `{"context":{"q":1e400}}`, `{"context":{"b":` + deep + `}}`,
		`{"context":{"q":[` + deep + `]}}`, `{"x":[[` + deep + `]],"context":{"a":1}}`, `{"context":{"targetingKey":"u1","$flagd":{"a":1}}}`,
		"{\"context\":{\"a\":1}}\x00", `{"context":{"a":1},}`, `{"context":}`, `{"context"`, `{"a":1 "context":{}}`, `{"\ud83d":1,"\ufffd":1}`,
		`{"context":{"a":"0123456\"89012345678","x":"01234567","a long name of a member":"\\"}}`, "{\"context\":{\"a\":\"0123456\x1f\"}}",
	} {
		f.Add([]byte(seed))
	}
	r := newReaders(f)
	keys := []string{"static", "member", "deeper", "element", "whole", "exposed", "rollout", "missing"}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, key := range keys {
			once, ok := answered(t, r, key, func(q *resolver.Request) (eval.Result, error) {
				result, ok := q.AnswerMember(body, contextMember)
				if !ok {
					return result, eval.ErrInvalidContext
				}
				return result, nil
			})
			if !ok {
				continue
			}
			twice, ok := answered(t, r, key, func(q *resolver.Request) (eval.Result, error) {
				data, err := new(envelope).context(body, false)
				if err != nil {
					return eval.Result{}, err
				}
				return q.Answer(data)
			})
			if !ok || once != twice {
				t.Errorf("%s: %s in one pass, %s in two, taken there: %v", key, once, twice, ok)
			}
		}
	})
}

func newReaders(f *testing.F) *resolver.Resolver {
	f.Helper()
	store, err := cache.New(cache.Options{Environment: "test", Logger: zerolog.Nop()})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { store.Close() })
	path := filepath.Join(f.TempDir(), "flags.json")
	if err := os.WriteFile(path, []byte(readers), 0o600); err != nil {
		f.Fatal(err)
	}
	if err := store.LoadBootstrap(path); err != nil {
		f.Fatal(err)
	}
	r, err := resolver.New(resolver.Options{Views: store, Metrics: prometheus.NewRegistry()})
	if err != nil {
		f.Fatal(err)
	}
	return r
}

// answered returns an answer as it is sent.
func answered(t *testing.T, r *resolver.Resolver, key string, answer func(*resolver.Request) (eval.Result, error)) (text string, ok bool) {
	t.Helper()
	var q resolver.Request
	if err := r.Begin(context.Background(), &q, []byte(key), resolver.Headers{}); err != nil {
		t.Fatal(err)
	}
	defer q.End()
	result, err := answer(&q)
	if err != nil {
		return "", false
	}
	return string(appendResult(nil, key, &result)), true
}
