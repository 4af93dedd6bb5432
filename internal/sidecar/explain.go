package sidecar

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	jsonv2 "github.com/go-json-experiment/json"

	"github.com/flagside/flagside/cache"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/sidecar/management"
	"github.com/flagside/flagside/internal/sidecar/resolver"
)

// maxExplainBody is how many bytes the body of a request to explain may have. It is that of an evaluation.
const maxExplainBody = 1_000_000

// explanation is the body of an answer of /explain/. It has values of the context, so it is for those who may see them.
type explanation struct {
	Environment string `json:"environment"`
	// Revision is that of the state that was evaluated; missing if it never was in a log.
	Revision  string          `json:"revision,omitempty"`
	Freshness explainedAge    `json:"freshness"`
	Answer    explainedAnswer `json:"answer"`
	// Explanation says how the flag evaluates.
	Explanation eval.Explanation `json:"explanation"`
}

type explainedAge struct {
	Source     cache.Source   `json:"source"`
	Rung       rung           `json:"rung"`
	Strategy   eval.Freshness `json:"strategy"`
	Confirmed  bool           `json:"confirmed"`
	Stale      bool           `json:"stale"`
	AgeSeconds *float64       `json:"ageSeconds,omitempty"`
}

// explainedAnswer is what an application would get.
type explainedAnswer struct {
	Reason    eval.Reason     `json:"reason"`
	Variant   string          `json:"variant,omitempty"`
	Value     json.RawMessage `json:"value,omitempty"`
	ErrorCode eval.ErrorCode  `json:"errorCode,omitempty"`
	Detail    string          `json:"errorDetails,omitempty"`
	Metadata  json.RawMessage `json:"metadata"`
}

// explain answers how the flag with the key evaluates in the context of the body, which is that of an OFREP request. The request is not
// logged, nor is it counted as an evaluation.
func (s *Sidecar) explain(w http.ResponseWriter, r *http.Request, key string) {
	var q resolver.Request
	if err := s.resolver.Begin(&q); err != nil {
		management.Refuse(w, http.StatusServiceUnavailable, err.Error())
		return
	}
	defer q.End()
	if coding := r.Header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		w.Header().Set("Accept-Encoding", "identity")
		management.Refuse(w, http.StatusUnsupportedMediaType, "the request body is compressed: send it as plain JSON, without Content-Encoding")
		return
	}
	if err := s.prepareExplain(w, r, &q, key); err != nil {
		management.Refuse(w, explainStatus(err), err.Error())
		return
	}
	explained, ok := q.Explain([]byte(key))
	if !ok {
		management.Refuse(w, http.StatusNotFound, "the flag does not exist")
		return
	}
	management.Answer(w, http.StatusOK, s.newExplanation(&q, explained))
}

// prepareExplain does for q what an OFREP request would do.
func (s *Sidecar) prepareExplain(w http.ResponseWriter, r *http.Request, q *resolver.Request, key string) error {
	if err := q.Select([]byte(r.Header.Get("Flagd-Selector"))); err != nil {
		return err
	}
	revision, freshness, err := resolver.ParseRequirement(
		[]byte(r.Header.Get(resolver.HeaderMinRevision)), []byte(r.Header.Get(resolver.HeaderFreshness)))
	if err != nil {
		return err
	}
	q.Require(revision, freshness)
	q.TakeHeaders(func(name string) []byte { return []byte(r.Header.Get(name)) })
	if err := q.Freshen(r.Context(), []byte(key)); err != nil {
		return err
	}
	context, err := readContext(http.MaxBytesReader(w, r.Body, maxExplainBody))
	if err != nil {
		return err
	}
	return q.SetContext(context)
}

// errExplainBody is about a body that is not that of an OFREP request. What is wrong with it is not quoted.
var errExplainBody = errors.New(`the body must be a JSON object such as {"context":{"targetingKey":"user-1"}}`)

// readContext returns the member context of a JSON object, nil if there is none.
func readContext(body io.Reader) ([]byte, error) {
	content, err := io.ReadAll(body)
	if err != nil {
		return nil, err
	}
	if len(content) == 0 {
		return nil, nil
	}
	var request struct {
		Context jsontext.Value `json:"context"`
	}
	if err := jsonv2.Unmarshal(content, &request, jsontext.AllowInvalidUTF8(true)); err != nil {
		return nil, errExplainBody
	}
	return request.Context, nil
}

func explainStatus(err error) int {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return http.StatusRequestEntityTooLarge
	case errors.Is(err, resolver.ErrOtherEpoch):
		return http.StatusPreconditionFailed
	case errors.Is(err, resolver.ErrNotReached):
		return http.StatusGatewayTimeout
	default:
		return http.StatusBadRequest
	}
}

func (s *Sidecar) newExplanation(q *resolver.Request, explained resolver.Explained) explanation {
	f := s.facts()
	body := explanation{
		Environment: s.options.Environment,
		Freshness: explainedAge{
			Source: f.source, Rung: f.rung(), Strategy: explained.Freshness.Strategy, Confirmed: explained.Freshness.Confirmed,
			Stale: explained.Freshness.Stale, AgeSeconds: explained.Freshness.AgeSeconds,
		},
		Answer: explainedAnswer{
			Reason: explained.Answer.Reason, ErrorCode: explained.Answer.ErrorCode, Detail: explained.Answer.Detail,
			Metadata: explained.Answer.Metadata,
		},
		Explanation: explained.Explanation,
	}
	if position := q.View().Position(); !position.IsZero() {
		body.Revision = position.Token().String()
	}
	if variant := explained.Answer.Variant; variant != nil {
		body.Answer.Variant, body.Answer.Value = variant.Name(), variant.Encoded()
	}
	return body
}
