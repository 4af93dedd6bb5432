package admin

import (
	"context"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/writer"
)

// originOf says who makes the request, and why.
func originOf(ctx context.Context, h api.ChangeHeaders) decide.Origin {
	return decide.Origin{Principal: caller(ctx), Reason: h.Reason, Key: h.IdempotencyKey, InUse: h.InUse}
}

// verifyReason refuses a reason that no record can hold.
func (s *server) verifyReason(ctx huma.Context, next func(huma.Context)) {
	if err := (decide.Origin{Reason: ctx.Header("Flagside-Reason")}).Validate(); err != nil {
		answerProblem(ctx, s.problem(err))
		return
	}
	next(ctx)
}

// orderOf says who makes the request, and why.
func orderOf(ctx context.Context, h api.AdministrationHeaders) writer.Order {
	return writer.Order{Actor: caller(ctx).ID, Reason: h.Reason, BreakGlass: breaksGlass(h.BreakGlass, h.Reason)}
}

// whyOf says why the request is made.
func whyOf(h api.AdministrationHeaders) access.Why {
	return access.Why{Reason: h.Reason, BreakGlass: breaksGlass(h.BreakGlass, h.Reason)}
}

// done logs what was done to what, and why. What went without approvals is a warning, and counted.
func (s *server) done(ctx context.Context, h api.AdministrationHeaders, kind, id, done string) {
	level := zerolog.InfoLevel
	if breaksGlass(h.BreakGlass, h.Reason) {
		level = zerolog.WarnLevel
	}
	s.options.Logger.WithLevel(level).Str("actor", caller(ctx).ID).Str(kind, id).Str("reason", h.Reason).Bool("break_glass", h.BreakGlass).Msg(done)
	if !breaksGlass(h.BreakGlass, h.Reason) {
		return
	}
	if kind != "environment" {
		id = "" // it concerns none
	}
	s.options.BrokeGlass(id)
}

// preconditionOf returns what the headers say that the author has seen; control refuses if that is nothing.
func preconditionOf(w api.WriteHeaders) (decide.Precondition, error) {
	switch {
	case w.IfMatch != "" && w.IfNoneMatch != "":
		return decide.Precondition{}, badPrecondition("If-Match and If-None-Match exclude each other.")
	case w.IfNoneMatch == "*":
		return decide.Precondition{Absent: true}, nil
	case w.IfNoneMatch != "":
		return decide.Precondition{}, badPrecondition("If-None-Match can only be *, to create a document.")
	case w.IfMatch == "":
		return decide.Precondition{}, nil
	}
	token, err := changelog.ParseToken(strings.Trim(w.IfMatch, `"`))
	if err != nil {
		return decide.Precondition{}, badPrecondition("If-Match must be the ETag of the document as it was read, \"<epoch8>-<revision>\".")
	}
	return decide.Precondition{Match: token}, nil
}

func badPrecondition(detail string) error {
	return newProblem(http.StatusBadRequest, api.ProblemInvalidRequest, detail)
}

// etag returns the entity tag of a revision.
func etag(t changelog.Token) string { return `"` + t.String() + `"` }
