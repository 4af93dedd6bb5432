package flagd_test

import (
	"strings"
	"testing"
	"time"

	evaluationv1 "buf.build/gen/go/open-feature/flagd/protocolbuffers/go/flagd/evaluation/v1"
	evaluationv2 "buf.build/gen/go/open-feature/flagd/protocolbuffers/go/flagd/evaluation/v2"
	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/sidecar/historytest"
)

// flags has one flag for each kind of answer.
func flags() []document.Document {
	return []document.Document{
		doc("on", `{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"on","metadata":{"owner":"shop","level":3}}`),
		doc("text", `{"state":"ENABLED","variants":{"x":"a \"quoted\" ü"},"defaultVariant":"x"}`),
		doc("large", `{"state":"ENABLED","variants":{"x":9007199254740993},"defaultVariant":"x"}`),
		doc("ten", `{"state":"ENABLED","variants":{"x":10.0},"defaultVariant":"x"}`),
		doc("half", `{"state":"ENABLED","variants":{"x":0.5},"defaultVariant":"x"}`),
		doc("object", `{"state":"ENABLED","variants":{"x":{"a":[1,{"b":null}]}},"defaultVariant":"x"}`),
		doc("targeted", `{"state":"ENABLED","variants":{"gold":1,"free":2},"defaultVariant":"free","targeting":{"if":[{"==":[{"var":"plan"},"gold"]},"gold",null]}}`),
		doc("disabled", `{"state":"DISABLED","variants":{"on":true},"defaultVariant":"on"}`),
		doc("code", `{"state":"ENABLED","variants":{"on":true},"defaultVariant":null}`),
		doc("unknown", `{"state":"ENABLED","variants":{"on":true},"defaultVariant":"on","targeting":{"var":"variant"}}`),
		doc("failing", `{"state":"ENABLED","variants":{"on":true},"defaultVariant":"on","targeting":{"+":[{"var":"missing"},1]}}`),
		doc("grouped", `{"state":"ENABLED","variants":{"on":true},"defaultVariant":"on","metadata":{"flagSetId":"web"}}`),
		doc("fresh", `{"state":"ENABLED","variants":{"on":true},"defaultVariant":"on","freshness":"always_fresh"}`),
		doc("bounded", `{"state":"ENABLED","variants":{"on":true},"defaultVariant":"on","maxStaleness":"5s"}`),
	}
}

func newSystem(t *testing.T) *system {
	t.Helper()
	h := historytest.New(t)
	h.Commit(flags()...)
	return start(t, h)
}

func TestAnswersOfAllTypesInAllDialects(t *testing.T) {
	s := newSystem(t)
	for _, d := range dialects() {
		t.Run(d.name, func(t *testing.T) {
			client := s.v2(d)
			b, err := client.ResolveBoolean(t.Context(), connect.NewRequest(&evaluationv2.ResolveBooleanRequest{FlagKey: "on"}))
			if err != nil || b.Msg.Value == nil || !b.Msg.GetValue() || b.Msg.GetVariant() != "on" || b.Msg.Reason != "STATIC" {
				t.Fatalf("boolean %v, %v", b, err)
			}
			if diff := cmp.Diff(map[string]any{"owner": "shop", "level": 3.0, "version": 2.0}, b.Msg.Metadata.AsMap()); diff != "" {
				t.Errorf("metadata (-want +got):\n%s", diff)
			}
			text, err := client.ResolveString(t.Context(), connect.NewRequest(&evaluationv2.ResolveStringRequest{FlagKey: "text"}))
			if err != nil || text.Msg.GetValue() != `a "quoted" ü` {
				t.Errorf("text %v, %v", text, err)
			}
			n, err := client.ResolveInt(t.Context(), connect.NewRequest(&evaluationv2.ResolveIntRequest{FlagKey: "large"}))
			if err != nil || n.Msg.GetValue() != 9007199254740993 {
				t.Errorf("integer %v, %v", n, err)
			}
			f, err := client.ResolveFloat(t.Context(), connect.NewRequest(&evaluationv2.ResolveFloatRequest{FlagKey: "half"}))
			if err != nil || f.Msg.GetValue() != 0.5 {
				t.Errorf("number %v, %v", f, err)
			}
			o, err := client.ResolveObject(t.Context(), connect.NewRequest(&evaluationv2.ResolveObjectRequest{FlagKey: "object"}))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(map[string]any{"a": []any{1.0, map[string]any{"b": nil}}}, o.Msg.GetValue().AsMap()); diff != "" {
				t.Errorf("object (-want +got):\n%s", diff)
			}
			targeted, err := client.ResolveInt(t.Context(), connect.NewRequest(&evaluationv2.ResolveIntRequest{
				FlagKey: "targeted", Context: fields(t, map[string]any{"plan": "gold", "list": []any{1.0, nil, true, map[string]any{}}}),
			}))
			if err != nil || targeted.Msg.GetValue() != 1 || targeted.Msg.Reason != "TARGETING_MATCH" {
				t.Errorf("targeted %v, %v", targeted, err)
			}
			_, err = client.ResolveBoolean(t.Context(), connect.NewRequest(&evaluationv2.ResolveBooleanRequest{FlagKey: "none"}))
			wantCode(t, "not found", err, connect.CodeNotFound)
		})
	}
}

func TestNumbersLoseNoDigits(t *testing.T) {
	s := newSystem(t)
	client := s.v2(dialects()[0])
	integer := func(key string) (int64, error) {
		answer, err := client.ResolveInt(t.Context(), connect.NewRequest(&evaluationv2.ResolveIntRequest{FlagKey: key}))
		if err != nil {
			return 0, err
		}
		return answer.Msg.GetValue(), nil
	}
	number := func(key string) (float64, error) {
		answer, err := client.ResolveFloat(t.Context(), connect.NewRequest(&evaluationv2.ResolveFloatRequest{FlagKey: key}))
		if err != nil {
			return 0, err
		}
		return answer.Msg.GetValue(), nil
	}
	if n, err := integer("ten"); n != 10 || err != nil {
		t.Errorf("10.0 as an integer: %d, %v", n, err)
	}
	if n, err := number("ten"); n != 10 || err != nil {
		t.Errorf("10.0 as a number: %v, %v", n, err)
	}
	_, err := integer("half")
	wantCode(t, "0.5 as an integer", err, connect.CodeInvalidArgument)
	_, err = number("large")
	wantCode(t, "9007199254740993 as a number", err, connect.CodeInvalidArgument)
	_, err = integer("on")
	wantCode(t, "a boolean as an integer", err, connect.CodeInvalidArgument)
}

func TestAnswersWithoutAValue(t *testing.T) {
	s := newSystem(t)
	v1, v2 := s.v1(dialects()[0]), s.v2(dialects()[0])
	for key, reason := range map[string]string{"disabled": "DISABLED", "code": "DEFAULT"} {
		answer, err := v2.ResolveBoolean(t.Context(), connect.NewRequest(&evaluationv2.ResolveBooleanRequest{FlagKey: key}))
		if err != nil || answer.Msg.Value != nil || answer.Msg.Variant != nil || answer.Msg.Reason != reason || answer.Msg.Metadata == nil {
			t.Errorf("v2 %s: %v, %v", key, answer, err)
		}
	}
	answer, err := v1.ResolveBoolean(t.Context(), connect.NewRequest(&evaluationv1.ResolveBooleanRequest{FlagKey: "disabled"}))
	if err != nil || answer.Msg.Value || answer.Msg.Variant != "" || answer.Msg.Reason != "DISABLED" {
		t.Errorf("v1 disabled: %v, %v", answer, err)
	}
	_, err = v1.ResolveBoolean(t.Context(), connect.NewRequest(&evaluationv1.ResolveBooleanRequest{FlagKey: "code"}))
	wantCode(t, "v1 without default", err, connect.CodeNotFound)
}

func TestErrorsHaveTheCodesOfFlagd(t *testing.T) {
	s := newSystem(t)
	client := s.v2(dialects()[0])
	ask := func(key string, context map[string]any, header ...string) error {
		request := connect.NewRequest(&evaluationv2.ResolveBooleanRequest{FlagKey: key, Context: fields(t, context)})
		for i := 0; i < len(header); i += 2 {
			request.Header().Set(header[i], header[i+1])
		}
		_, err := client.ResolveBoolean(t.Context(), request)
		return err
	}
	wantCode(t, "not found", ask("none", nil), connect.CodeNotFound)
	wantCode(t, "no key", ask("", nil), connect.CodeNotFound)
	wantCode(t, "another type", ask("text", nil), connect.CodeInvalidArgument)
	wantCode(t, "no such variant", ask("unknown", map[string]any{"variant": "other"}), connect.CodeUnknown)
	wantCode(t, "a rule that fails", ask("failing", nil), connect.CodeDataLoss)
	wantCode(t, "a bad selector", ask("on", nil, "Flagd-Selector", "other=x"), connect.CodeInvalidArgument)
	wantCode(t, "not selected", ask("on", nil, "Flagd-Selector", "flagSetId=web"), connect.CodeNotFound)
	wantCode(t, "a bad requirement", ask("on", nil, "Flagside-Min-Revision", "x"), connect.CodeInvalidArgument)
	if err := ask("grouped", nil, "Flagd-Selector", "flagSetId=web"); err != nil {
		t.Errorf("selected: %v", err)
	}
	deep := map[string]any{}
	for range 40 {
		deep = map[string]any{"a": deep}
	}
	wantCode(t, "a deep context", ask("on", deep), connect.CodeInvalidArgument)
	for status, body := range map[int]string{
		200: `{"flagKey":"on"}`, 404: `{"flagKey":"none"}`, 400: `{"flagKey":"text"}`,
	} {
		if got, answer := s.post(s.evaluation, "/flagd.evaluation.v2.Service/ResolveBoolean", body); got != status {
			t.Errorf("%s: %d, want %d: %s", body, got, status, answer)
		}
	}
}

func TestNothingToAnswerFrom(t *testing.T) {
	s := start(t, historytest.Open(t))
	_, err := s.v2(dialects()[0]).ResolveBoolean(t.Context(), connect.NewRequest(&evaluationv2.ResolveBooleanRequest{FlagKey: "on"}))
	wantCode(t, "evaluation", err, connect.CodeUnavailable)
	_, err = s.v1(dialects()[0]).ResolveAll(t.Context(), connect.NewRequest(&evaluationv1.ResolveAllRequest{}))
	wantCode(t, "all", err, connect.CodeUnavailable)
}

// Providers keep STATIC answers, so what only the sidecar knows the freshness of is not STATIC.
func TestWhatMustBeAskedAgainIsNotStatic(t *testing.T) {
	s := newSystem(t)
	client := s.v2(dialects()[0])
	reason := func(key string, header ...string) string {
		request := connect.NewRequest(&evaluationv2.ResolveBooleanRequest{FlagKey: key})
		for i := 0; i < len(header); i += 2 {
			request.Header().Set(header[i], header[i+1])
		}
		answer, err := client.ResolveBoolean(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		return answer.Msg.Reason
	}
	for key, want := range map[string]string{"on": "STATIC", "fresh": "DEFAULT", "bounded": "DEFAULT"} {
		if got := reason(key); got != want {
			t.Errorf("%s: %s, want %s", key, got, want)
		}
	}
	if got := reason("on", "Flagside-Freshness", "always_fresh"); got != "DEFAULT" {
		t.Errorf("a demanding request: %s", got)
	}
	s.knowledge.age.Store(int64(time.Minute))
	if got := reason("bounded"); got != "STALE" {
		t.Errorf("stale: %s", got)
	}
}

func TestResolveAll(t *testing.T) {
	s := newSystem(t)
	for _, d := range dialects() {
		request := connect.NewRequest(&evaluationv1.ResolveAllRequest{Context: fields(t, map[string]any{"plan": "gold"})})
		all, err := s.v1(d).ResolveAll(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		got := make(map[string]any)
		for key, flag := range all.Msg.Flags {
			content, err := protojson.Marshal(flag)
			if err != nil {
				t.Fatal(err)
			}
			flag.Metadata = nil
			got[key] = strings.Contains(string(content), `"version"`)
		}
		want := map[string]any{
			"on": true, "text": true, "ten": true, "half": true, "object": true, "targeted": true, "unknown": true,
			"grouped": true, "fresh": true, "bounded": true,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", d.name, diff)
		}
		if flag := all.Msg.Flags["targeted"]; flag.GetDoubleValue() != 1 || flag.Variant != "gold" || flag.Reason != "TARGETING_MATCH" {
			t.Errorf("targeted %v", flag)
		}
	}
	request := connect.NewRequest(&evaluationv1.ResolveAllRequest{})
	request.Header().Set("Flagd-Selector", "flagSetId=web")
	all, err := s.v1(dialects()[0]).ResolveAll(t.Context(), request)
	if err != nil || len(all.Msg.Flags) != 1 || all.Msg.Metadata.AsMap()["flagSetId"] != "web" {
		t.Errorf("selected: %v, %v", all, err)
	}
}
