package ofrep

import (
	"errors"
	"fmt"

	"github.com/valyala/fasthttp"

	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/sidecar/jsonbody"
	"github.com/flagside/flagside/internal/sidecar/resolver"
	"github.com/flagside/flagside/internal/sidecar/usage"
)

// evaluationsPath is where clients that evaluate by themselves tell how often they did.
const evaluationsPath = "/v1/evaluations"

// The limits of what they tell in one request.
const (
	maxTold     = 1000
	maxToldBody = 256 << 10
	// maxToldTimes is how often an answer may have been given: more than a client can give in the time between two requests.
	maxToldTimes = 1_000_000_000
)

// told is the body of such a request. Other members are ignored.
type told struct {
	// Client is an id that the client has chosen at random.
	Client      string           `json:"client"`
	Evaluations []toldEvaluation `json:"evaluations"`
}

// toldEvaluation is how often a flag had an answer.
type toldEvaluation struct {
	Flag      string         `json:"flag"`
	Variant   string         `json:"variant"`
	Reason    eval.Reason    `json:"reason"`
	ErrorCode eval.ErrorCode `json:"errorCode"`
	Count     uint64         `json:"count"`
}

func isEvaluations(target []byte) bool { return string(pathOf(target)) == evaluationsPath }

// takeEvaluations counts what a client tells that evaluates by itself.
func (s *Server) takeEvaluations(ctx *fasthttp.RequestCtx) {
	body := ctx.PostBody()
	if len(body) > maxToldBody {
		fail(ctx, fasthttp.StatusRequestEntityTooLarge, nil, eval.ErrorGeneral, fmt.Sprintf("the request body has %d bytes, at most %d are allowed", len(body), maxToldBody))
		return
	}
	client, all, err := parseTold(body)
	if err != nil {
		fail(ctx, fasthttp.StatusBadRequest, nil, eval.ErrorGeneral, err.Error())
		return
	}
	if err := s.resolver.Count(client, ctx.Request.Header.Peek(resolver.HeaderApplication), all); err != nil {
		fail(ctx, statusOfRequest(err), nil, codeOf(err), err.Error())
		return
	}
	setBody(ctx, fasthttp.StatusAccepted, fmt.Appendf(buffer(ctx), `{"counted":%d}`, len(all)))
}

// parseTold decodes a body. Errors name the place.
func parseTold(body []byte) (client string, all []resolver.Told, err error) {
	var t told
	if err := jsonbody.Read(body, &t, toldShape()); err != nil {
		return "", nil, fmt.Errorf("%w: %w", errBody, err)
	}
	if t.Client == "" || len(t.Client) > usage.MaxReporter {
		return "", nil, fmt.Errorf("%w: /client must have 1 to %d bytes: choose them at random at the start", errBody, usage.MaxReporter)
	}
	if len(t.Evaluations) > maxTold {
		return "", nil, fmt.Errorf("%w: /evaluations has %d elements, at most %d are allowed", errBody, len(t.Evaluations), maxTold)
	}
	for i, e := range t.Evaluations {
		if err := e.validate(); err != nil {
			return "", nil, fmt.Errorf("%w: /evaluations/%d: %w", errBody, i, err)
		}
		all = append(all, resolver.Told{Flag: e.Flag, Variant: e.Variant, Reason: e.Reason, Code: e.ErrorCode, N: e.Count})
	}
	return t.Client, all, nil
}

// toldShape says what a body must be.
func toldShape() jsonbody.Shape {
	return jsonbody.Shape{Whole: "want an object with client and evaluations", Members: map[string]string{
		"client": "want a string", "evaluations": "want a list of objects", "evaluations/": "want an object",
		"flag": "want a string", "variant": "want a string", "reason": "want a string", "errorCode": "want a string", "count": "want a whole number",
	}}
}

func (e *toldEvaluation) validate() error {
	switch {
	case e.Flag == "":
		return errors.New("flag is missing")
	case e.Reason == "" && e.ErrorCode == "":
		return errors.New("reason is missing")
	case e.Count == 0 || e.Count > maxToldTimes:
		return fmt.Errorf("count is %d, it must be between 1 and %d", e.Count, maxToldTimes)
	default:
		return nil
	}
}
