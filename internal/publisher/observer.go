package publisher

import (
	"context"

	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/internal/publisher/control/requests"
	"github.com/flagside/flagside/internal/publisher/lifecycle"
	"github.com/flagside/flagside/sync/writer"
)

// observer traces, counts and logs what is done to an environment. It is a control.Observer.
type observer struct {
	environment *environment
	metrics     *metrics
}

// Deciding implements control.Observer.
func (o observer) Deciding(ctx context.Context, c decide.Command) func(error) {
	return o.environment.tracing.decide(ctx, c)
}

// Appended implements control.Observer.
func (o observer) Appended(s writer.OutcomeState) { o.metrics.appended(o.environment.name, s) }

// Lived implements control.Observer.
func (o observer) Lived(e requests.Event) {
	stage := e.Type.Stage()
	o.metrics.lived(o.environment.name, stage, len(e.Flags))
	o.environment.logger.Info().Str("stage", string(stage)).Int("flags", len(e.Flags)).Str("first", e.Flags[0].Key).Msg("flags came to another stage of their lives")
}

// ActedOnExpired implements control.Observer.
func (o observer) ActedOnExpired(a lifecycle.Action, outcome string) {
	o.metrics.acted(o.environment.name, a, outcome)
}

// BrokeGlass implements control.Observer.
func (o observer) BrokeGlass(r requests.Request) {
	o.metrics.brokeGlass(o.environment.name)
	o.environment.logger.Warn().Str("actor", r.Claim.By).Str("request", r.ID).Str("reason", r.Reason).Bool("break_glass", true).
		Msg("change applied without approvals: another person has to review it")
}
