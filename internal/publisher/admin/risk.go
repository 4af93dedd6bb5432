package admin

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/activity"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/internal/publisher/control/risk"
)

func newRisk(r access.Risk) *api.Risk {
	out := &api.Risk{High: r.High, Dependants: r.Dependants, Reasons: []api.RiskReason{}}
	for _, reason := range r.Reasons {
		out.Reasons = append(out.Reasons, api.RiskReason(reason))
	}
	if r.ShareKnown {
		out.Share = &r.Share
	}
	if r.UsageKnown {
		out.InUse = &r.InUse
	}
	return out
}

func riskSettings(r api.RiskSettings) risk.Settings {
	out := risk.Settings{Protected: r.Protected, Tags: r.Tags, Share: r.Share, Dependants: r.Dependants}
	for _, f := range r.Freezes {
		out.Freezes = append(out.Freezes, risk.Freeze{From: f.From, To: f.To, Reason: f.Reason})
	}
	return out
}

type putRisk struct {
	EnvironmentPath
	api.ChangeHeaders

	Body api.RiskSettings
}

type patchRisk struct {
	EnvironmentPath
	api.ChangeHeaders

	RawBody []byte `contentType:"application/merge-patch+json"`
}

func (s *server) registerRisk(h huma.API) {
	const path = "/api/v1/environments/{environment}/risk"
	huma.Register(h, reading(operation(http.MethodGet, path, "getRisk", "Read what is risky in an environment", requestsTag)), s.getRisk)
	huma.Register(h, operation(http.MethodPut, path, "putRisk", "Say what is risky in an environment", requestsTag),
		func(ctx context.Context, in *putRisk) (*content[api.RiskSettings], error) {
			return s.changeRisk(ctx, in.EnvironmentPath, in.ChangeHeaders, decide.SetRisk{Settings: riskSettings(in.Body)})
		})
	patch := operation(http.MethodPatch, path, "patchRisk", "Change what is risky in an environment by a JSON Merge Patch (RFC 7396)", requestsTag)
	patch.RequestBody = &huma.RequestBody{Required: true}
	patch.SkipValidateBody = true // what it makes is validated
	huma.Register(h, patch, func(ctx context.Context, in *patchRisk) (*content[api.RiskSettings], error) {
		return s.changeRisk(ctx, in.EnvironmentPath, in.ChangeHeaders, decide.PatchRisk{Merge: in.RawBody})
	})
	patch.RequestBody.Content = map[string]*huma.MediaType{api.MergePatchMedia: {Schema: &huma.Schema{
		Type: huma.TypeObject, AdditionalProperties: true, Description: "The members to change; null turns one off.",
	}, Example: map[string]any{"protected": true}}}
}

// changeRisk changes what is risky and answers with what is risky then.
func (s *server) changeRisk(ctx context.Context, in EnvironmentPath, h api.ChangeHeaders, c decide.RequestCommand) (*content[api.RiskSettings], error) {
	service, err := s.options.Environments.Control(ctx, in.Environment)
	if err != nil {
		return nil, s.problem(err)
	}
	if _, err := service.HandleRequest(ctx, originOf(ctx, h), c); err != nil {
		return nil, s.ledgerProblem(err)
	}
	return s.getRisk(ctx, &in)
}

func (s *server) getRisk(ctx context.Context, in *EnvironmentPath) (*content[api.RiskSettings], error) {
	service, err := s.options.Environments.Control(ctx, in.Environment)
	if err != nil {
		return nil, s.problem(err)
	}
	settings, err := service.Risk(ctx)
	if err != nil {
		return nil, s.problem(err)
	}
	return &content[api.RiskSettings]{Body: activity.RiskSettings(settings)}, nil
}
