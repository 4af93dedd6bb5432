package flagd_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	evaluationv2 "buf.build/gen/go/open-feature/flagd/protocolbuffers/go/flagd/evaluation/v2"
	"google.golang.org/protobuf/proto"
)

// A context is evaluated with U+FFFD for what is no text: half of an emoji in JSON, and Latin-1. A flag key stays as strict as it was.
func TestIllFormedTextInContextsIsReplaced(t *testing.T) {
	s := newSystem(t)
	s.Commit(doc("emoji", `{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off",
		"targeting":{"if":[{"==":[{"var":"list.0.text"},"cut \ufffd"]},"on"]}}`))
	const procedure = "/flagd.evaluation.v2.Service/ResolveBoolean"
	for body, want := range map[string]int{
		`{"flagKey":"emoji","context":{"list":[{"text":"cut \ud83d"}],"\udc00":1}}`:                  http.StatusOK,
		"{\"context\":{\"list\":[{\"text\":\"cut \xe9\"}]},\"flagKey\":\"emoji\",\"unknown\":\"x\"}": http.StatusOK,
		`{"flagKey":"emoji\ud83d"}`:                                   http.StatusBadRequest,
		"{\"flagKey\":\"emoji\xe9\",\"context\":{\"text\":\"\xe9\"}}": http.StatusBadRequest,
		`{"flagKey":"emoji","context":{"text":"\ud83d"`:               http.StatusBadRequest,
		`{"flagKey":"emoji","context":{"\ud83d":1,"\ud83d":1}}`:       http.StatusBadRequest,
	} {
		status, answer := s.post(s.evaluation, procedure, body)
		if status != want || want == http.StatusOK && !strings.Contains(answer, "TARGETING_MATCH") {
			t.Errorf("%q: %d, %s", body, status, answer)
		}
	}
	for key, want := range map[string]int{"emoji": http.StatusOK, "emoji#": http.StatusBadRequest} {
		message, err := proto.Marshal(&evaluationv2.ResolveBooleanRequest{FlagKey: key, Context: fields(t, map[string]any{
			"list": []any{map[string]any{"text": "cut #", "#": "x"}, 1.0, nil}, "more": true,
		})})
		if err != nil {
			t.Fatal(err)
		}
		body := string(bytes.ReplaceAll(message, []byte("#"), []byte("\xe9")))
		status, answer := s.post(s.evaluation, procedure, body, "Content-Type", "application/proto")
		if status != want || want == http.StatusOK && !strings.Contains(answer, "TARGETING_MATCH") {
			t.Errorf("%s in binary: %d, %q", key, status, answer)
		}
	}
}
