package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/open-feature/flagd/core/pkg/evaluator"
	"github.com/open-feature/flagd/core/pkg/logger"
	"github.com/open-feature/flagd/core/pkg/model"
	"github.com/open-feature/flagd/core/pkg/store"
	"github.com/open-feature/flagd/core/pkg/sync"
	"go.uber.org/zap"

	"github.com/flagside/flagside/eval"
)

// now is the time of all of flagside's evaluations; flagd reads the clock.
var now = time.Unix(1_700_000_000, 0)

// flagside loads a file the way the project does: split into documents, compiled, every mistake reported.
func flagside(data []byte) (*eval.Ruleset, error) {
	documents, problems := eval.ParseFile(data, "")
	if err := problems.Err(); err != nil {
		return nil, fmt.Errorf("flagside: %w", err)
	}
	rules, problems := eval.New().Update(documents)
	return rules, problems.Err()
}

// flagd is flagd's evaluator as the daemon runs it.
type flagd struct{ *evaluator.JSON }

const source = "bench"

func newFlagd(data []byte) (flagd, error) {
	quiet := logger.NewLogger(zap.NewNop(), false)
	flags, err := store.NewStore(quiet, []string{source})
	if err != nil {
		return flagd{}, fmt.Errorf("flagd: %w", err)
	}
	f := flagd{evaluator.NewJSON(quiet, flags)}
	return f, f.load(data)
}

func (f flagd) load(data []byte) error {
	return f.SetState(sync.DataSync{FlagData: string(data), Source: source})
}

// decode reads a context the way flagd's OFREP does.
func decode(data []byte) (map[string]any, error) {
	var attributes map[string]any
	err := json.Unmarshal(data, &attributes)
	return attributes, err
}

// one evaluates one flag and returns the name of its variant and the reason.
func (f flagd) one(ctx context.Context, key string, attributes map[string]any) (variant, reason string, err error) {
	answer := f.ResolveAsAnyValue(ctx, "", key, attributes)
	return answer.Variant, answer.Reason, answer.Error
}

// all evaluates every flag and returns how many rules matched.
func (f flagd) all(ctx context.Context, attributes map[string]any) (matches int, err error) {
	answers, _, err := f.ResolveAllValues(ctx, "", attributes)
	for i := range answers {
		if answers[i].Reason == model.TargetingMatchReason {
			matches++
		}
	}
	return matches, err
}

// all evaluates every flag with flagside and returns how many rules matched.
func all(rules *eval.Ruleset, c *eval.Context) (matches int) {
	for _, f := range rules.Flags() {
		if f.Evaluate(c, now).Reason == eval.ReasonTargetingMatch {
			matches++
		}
	}
	return matches
}
