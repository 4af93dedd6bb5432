package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/api"
)

type evaluateFlags struct {
	EnvironmentPath

	Body api.Evaluate
}

// registerEvaluate adds what tells the answers of flags. It takes time of the processor, and is for callers with a name.
func (s *server) registerEvaluate(h huma.API) {
	op := needing(access.Read, operation(http.MethodPost, "/api/v1/environments/{environment}/evaluate", "evaluateFlags",
		"Tell what flags answer in evaluation contexts, as sidecars evaluate them, and why", flagsTag))
	op.Metadata[mustAuthenticate] = true
	op.Description = fmt.Sprintf("A publisher evaluates %d requests at once and lets others wait for %v, then answers 503. One caller has %d at most, beyond which the answer is 429. "+
		"Both have Retry-After.", evaluatedAtOnce, evaluatingWait, evaluatingShare)
	huma.Register(h, op, func(ctx context.Context, in *evaluateFlags) (*content[api.Evaluations], error) {
		body, err := s.evaluate(ctx, in)
		if p, ok := errors.AsType[*problem](err); ok {
			return nil, p
		}
		if err != nil {
			return nil, s.problem(err)
		}
		return &content[api.Evaluations]{Body: body}, nil
	})
}

// evaluate evaluates what is known here.
func (s *server) evaluate(ctx context.Context, in *evaluateFlags) (api.Evaluations, error) {
	service, err := s.options.Environments.Control(ctx, in.Environment)
	if err != nil {
		return api.Evaluations{}, err
	}
	state, err := service.Known()
	if err != nil {
		return api.Evaluations{}, err
	}
	e := evaluation{rules: state.Rules(), keys: in.Body.Flags, explain: in.Body.Explain, now: time.Now()}
	if e.keys == nil {
		for _, f := range e.rules.Flags() {
			e.keys = append(e.keys, f.Key())
		}
	}
	end, err := s.evaluating.take(ctx, caller(ctx).PolicyID())
	if err != nil {
		return api.Evaluations{}, err
	}
	defer end()
	if n, most := len(in.Body.Contexts)*len(e.keys), e.most(); n > most {
		return api.Evaluations{}, badRequest(fmt.Sprintf("These are %d answers, and a request has %d at most: name fewer flags, or fewer contexts.", n, most))
	}
	out := api.Evaluations{Revision: state.Position().Token().String(), Items: []api.Evaluation{}}
	for i, data := range in.Body.Contexts {
		found, err := e.in(ctx, i, data)
		if err != nil {
			return api.Evaluations{}, err
		}
		out.Items = append(out.Items, found...)
	}
	return out, nil
}

// evaluation is what one request wants.
type evaluation struct {
	rules   *eval.Ruleset
	keys    []string
	explain bool
	now     time.Time
}

func (e evaluation) most() int {
	if e.explain {
		return api.MaxExplanations
	}
	return api.MaxEvaluations
}

// in returns what the flags answer in a context. It ends when the caller is gone.
func (e evaluation) in(ctx context.Context, place int, data []byte) ([]api.Evaluation, error) {
	var c eval.Context
	if err := e.rules.DecodeContext(&c, data); err != nil {
		return nil, badRequest(fmt.Sprintf("Context %d cannot be used: %v.", place+1, err))
	}
	out := make([]api.Evaluation, 0, len(e.keys))
	for _, key := range e.keys {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		one := api.Evaluation{Context: place, Flag: key, Reason: string(eval.ReasonError), ErrorCode: string(eval.ErrorFlagNotFound)}
		if f := e.rules.Flag(key); f != nil {
			if err := e.answer(&one, f, &c); err != nil {
				return nil, err
			}
		}
		out = append(out, one)
	}
	return out, nil
}

// answer says what a flag answers.
func (e evaluation) answer(one *api.Evaluation, f *eval.Flag, c *eval.Context) error {
	var r eval.Result
	if e.explain {
		explained := f.Explain(c, e.now)
		text, err := json.Marshal(explained)
		if err != nil {
			return err
		}
		r, one.Explanation = explained.Result, text
	} else {
		r = f.Try(c, e.now)
	}
	one.Reason, one.ErrorCode, one.ErrorDetails, one.Rule = string(r.Reason), string(r.ErrorCode), r.Detail, int(r.Rule)
	one.TimeDependent, one.ValidUntil, one.Value = r.TimeDependent, r.ValidUntil, r.Value()
	if r.Variant != nil {
		one.Variant = r.Variant.Name()
	}
	return nil
}
