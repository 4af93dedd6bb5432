package admin

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/internal/publisher/control/risk"
)

// Risk is what a change puts at stake.
type Risk struct {
	High       bool         `json:"high"`
	Reasons    []RiskReason `json:"reasons" nullable:"false"`
	Share      *float64     `json:"share,omitempty" doc:"The part of the users, from 0 to 1, whose answer changes; absent if that is not known."`
	Dependants int          `json:"dependants" doc:"How many flags depend on what changes, directly or not."`
	InUse      *bool        `json:"inUse,omitempty" doc:"Whether the flags were evaluated lately; absent if that is not known."`
}

// RiskReason is one reason why a change is risky.
type RiskReason struct {
	Code     string `json:"code" doc:"For policies and programs, such as protected-environment."`
	Sentence string `json:"sentence" doc:"For people."`
}

func newRisk(r access.Risk) *Risk {
	out := &Risk{High: r.High, Dependants: r.Dependants, Reasons: []RiskReason{}}
	for _, reason := range r.Reasons {
		out.Reasons = append(out.Reasons, RiskReason(reason))
	}
	if r.ShareKnown {
		out.Share = &r.Share
	}
	if r.UsageKnown {
		out.InUse = &r.InUse
	}
	return out
}

// RiskSettings say what is risky in an environment.
type RiskSettings struct {
	_ struct{} `additionalProperties:"false"`

	Protected  bool     `json:"protected,omitzero" doc:"Whether every change is risky."`
	Tags       []string `json:"tags,omitempty" nullable:"false" maxItems:"100" doc:"The tags of flags every change of which is risky."`
	Share      float64  `json:"share,omitzero" minimum:"0" maximum:"1" doc:"The part of the users from which on a change of their answer is risky; 0 turns this off."`
	Dependants int      `json:"dependants,omitzero" minimum:"0" doc:"The number of flags from which on a change of what they depend on is risky; 0 turns this off."`
	Freezes    []Freeze `json:"freezes,omitempty" nullable:"false" maxItems:"100" doc:"The times in which every change is risky."`
}

// Freeze is a time, from and up to but not including, in which nothing is to be changed without need.
type Freeze struct {
	_ struct{} `additionalProperties:"false"`

	From   time.Time `json:"from"`
	To     time.Time `json:"to"`
	Reason string    `json:"reason,omitempty"`
}

func newRiskSettings(r risk.Settings) RiskSettings {
	out := RiskSettings{Protected: r.Protected, Tags: r.Tags, Share: r.Share, Dependants: r.Dependants}
	for _, f := range r.Freezes {
		out.Freezes = append(out.Freezes, Freeze{From: f.From, To: f.To, Reason: f.Reason})
	}
	return out
}

func (r RiskSettings) settings() risk.Settings {
	out := risk.Settings{Protected: r.Protected, Tags: r.Tags, Share: r.Share, Dependants: r.Dependants}
	for _, f := range r.Freezes {
		out.Freezes = append(out.Freezes, risk.Freeze{From: f.From, To: f.To, Reason: f.Reason})
	}
	return out
}

type riskBody struct {
	Body RiskSettings
}

type putRisk struct {
	EnvironmentPath
	ChangeHeaders

	Body RiskSettings
}

type patchRisk struct {
	EnvironmentPath
	ChangeHeaders

	RawBody []byte `contentType:"application/merge-patch+json"`
}

func (a *api) registerRisk(h huma.API) {
	const path = "/api/v1/environments/{environment}/risk"
	huma.Register(h, reading(operation(http.MethodGet, path, "getRisk", "Read what is risky in an environment", requestsTag)), a.getRisk)
	huma.Register(h, operation(http.MethodPut, path, "putRisk", "Say what is risky in an environment", requestsTag),
		func(ctx context.Context, in *putRisk) (*riskBody, error) {
			return a.changeRisk(ctx, in.EnvironmentPath, in.ChangeHeaders, decide.SetRisk{Settings: in.Body.settings()})
		})
	patch := operation(http.MethodPatch, path, "patchRisk", "Change what is risky in an environment by a JSON Merge Patch (RFC 7396)", requestsTag)
	patch.RequestBody = &huma.RequestBody{Required: true}
	patch.SkipValidateBody = true // what it makes is validated
	huma.Register(h, patch, func(ctx context.Context, in *patchRisk) (*riskBody, error) {
		return a.changeRisk(ctx, in.EnvironmentPath, in.ChangeHeaders, decide.PatchRisk{Merge: in.RawBody})
	})
	patch.RequestBody.Content = map[string]*huma.MediaType{MergePatchMedia: {Schema: &huma.Schema{
		Type: huma.TypeObject, AdditionalProperties: true, Description: "The members to change; null turns one off.",
	}, Example: map[string]any{"protected": true}}}
}

// changeRisk changes what is risky and answers with what is risky then.
func (a *api) changeRisk(ctx context.Context, in EnvironmentPath, h ChangeHeaders, c decide.RequestCommand) (*riskBody, error) {
	service, err := a.options.Environments.Control(ctx, in.Environment)
	if err != nil {
		return nil, a.problem(err)
	}
	if _, err := service.HandleRequest(ctx, h.origin(ctx), c); err != nil {
		return nil, a.ledgerProblem(err)
	}
	return a.getRisk(ctx, &in)
}

func (a *api) getRisk(ctx context.Context, in *EnvironmentPath) (*riskBody, error) {
	service, err := a.options.Environments.Control(ctx, in.Environment)
	if err != nil {
		return nil, a.problem(err)
	}
	settings, err := service.Risk(ctx)
	if err != nil {
		return nil, a.problem(err)
	}
	return &riskBody{Body: newRiskSettings(settings)}, nil
}
