package sidecar

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/sidecar/management"
	"github.com/flagside/flagside/internal/sidecar/ofrep"
	"github.com/flagside/flagside/internal/sidecar/resolver"
)

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
	Serving      servingState   `json:"serving"`
	Strategy     eval.Freshness `json:"strategy"`
	Confirmed    bool           `json:"confirmed"`
	Stale        bool           `json:"stale"`
	AgeSeconds   *float64       `json:"ageSeconds,omitempty"`
	AgeEstimated bool           `json:"ageEstimated,omitempty"`
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
	if coding := r.Header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		w.Header().Set("Accept-Encoding", "identity")
		management.Refuse(w, http.StatusUnsupportedMediaType, "the request body is compressed: send it as plain JSON, without Content-Encoding")
		return
	}
	body, err := s.explanation(w, r, key)
	switch {
	case err != nil:
		management.Refuse(w, explainStatus(err), err.Error())
	case body == nil:
		management.Refuse(w, http.StatusNotFound, "the flag does not exist")
	default:
		management.Answer(w, http.StatusOK, body)
	}
}

// explanation does what an OFREP request does. It returns nil for a flag that does not exist.
func (s *Sidecar) explanation(w http.ResponseWriter, r *http.Request, key string) (*explanation, error) {
	var q resolver.Request
	if err := s.resolver.Begin(r.Context(), &q, []byte(key), resolver.HeadersOf(r.Header)); err != nil {
		return nil, err
	}
	defer q.End()
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, ofrep.DefaultMaxBody))
	if err != nil {
		return nil, err
	}
	data, err := ofrep.EvaluationContext(body, q.Lenient())
	if err != nil {
		return nil, err
	}
	explained, ok, err := q.Explain(data)
	if err != nil || !ok {
		return nil, err
	}
	return s.newExplanation(&q, explained), nil
}

func explainStatus(err error) int {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.Is(err, resolver.ErrNotReady):
		return http.StatusServiceUnavailable
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

func (s *Sidecar) newExplanation(q *resolver.Request, explained resolver.Explained) *explanation {
	body := &explanation{
		Environment: s.options.Environment,
		Freshness: explainedAge{
			Serving: s.facts().serving(), Strategy: explained.Strategy, Confirmed: explained.Confirmed,
			Stale: explained.Stale, AgeSeconds: explained.AgeSeconds, AgeEstimated: explained.AgeEstimated,
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
