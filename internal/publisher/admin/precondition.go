package admin

import (
	"context"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/control"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/writer"
)

// ChangeHeaders are the headers of every request that changes something.
type ChangeHeaders struct {
	Reason         string `header:"Flagside-Reason" doc:"Why; at most 500 bytes of UTF-8. It stays in the log for ever and cannot be erased: do not name a person."`
	IdempotencyKey string `header:"Idempotency-Key" maxLength:"255" doc:"Makes the request safe to repeat: the same key changes nothing twice within 24 hours."`
}

// origin says who makes the request, and why.
func (h ChangeHeaders) origin(ctx context.Context) control.Origin {
	return control.Origin{Principal: caller(ctx), Reason: h.Reason, Key: h.IdempotencyKey}
}

// AdministrationHeaders are the headers of requests that change no documents, for which nobody can be asked to agree.
type AdministrationHeaders struct {
	Reason     string `header:"Flagside-Reason" maxLength:"500" doc:"Why. It stands in a signed record for ever and in the log lines of the publisher, and cannot be erased: do not name a person."`
	BreakGlass bool   `header:"Flagside-Break-Glass" doc:"That it is to be done without the consent that policies want, for the reason that is given."`
}

// verifyReason refuses a reason that no record can hold.
func (a *api) verifyReason(ctx huma.Context, next func(huma.Context)) {
	if err := (control.Origin{Reason: ctx.Header("Flagside-Reason")}).Validate(); err != nil {
		answerProblem(ctx, a.problem(err))
		return
	}
	next(ctx)
}

// order says who makes the request, and why.
func (h AdministrationHeaders) order(ctx context.Context) writer.Order {
	return writer.Order{Actor: caller(ctx).ID, Reason: h.Reason, BreakGlass: h.breaks()}
}

// why says why the request is made.
func (h AdministrationHeaders) why() access.Why {
	return access.Why{Reason: h.Reason, BreakGlass: h.breaks()}
}

// breaks reports whether the request was permitted as one that breaks the glass.
func (h AdministrationHeaders) breaks() bool { return breaksGlass(h.BreakGlass, h.Reason) }

// RepairHeaders are the headers of a request to repair a journal.
type RepairHeaders struct {
	Reason     string `header:"Flagside-Reason" required:"true" minLength:"1" maxLength:"500" doc:"Why; it stands in the journal for ever."`
	BreakGlass bool   `header:"Flagside-Break-Glass" doc:"That it is to be done without the consent that policies want, for the reason that is given."`
}

// done logs what was done to what, and why, and counts it if it went without approvals.
func (a *api) done(ctx context.Context, h AdministrationHeaders, kind, id, done string) {
	h.note(ctx, a.options.Logger, kind, id, done)
	if !h.breaks() {
		return
	}
	if kind != "environment" {
		id = "" // it concerns none
	}
	a.options.BrokeGlass(id)
}

// note logs what was done to what, and why.
func (h AdministrationHeaders) note(ctx context.Context, log zerolog.Logger, kind, id, done string) {
	log.Warn().Str("actor", caller(ctx).ID).Str(kind, id).Str("reason", h.Reason).Bool("break_glass", h.BreakGlass).Msg(done)
}

// WriteHeaders are the headers of every request that changes a document.
type WriteHeaders struct {
	ChangeHeaders

	IfMatch     string `header:"If-Match" doc:"The ETag of the document that is replaced or deleted: \"<epoch8>-<revision>\"."`
	IfNoneMatch string `header:"If-None-Match" doc:"* when the document is created."`
}

// precondition returns what the headers say that the author has seen; control refuses if that is nothing.
func (w WriteHeaders) precondition() (control.Precondition, error) {
	switch {
	case w.IfMatch != "" && w.IfNoneMatch != "":
		return control.Precondition{}, badPrecondition("If-Match and If-None-Match exclude each other.")
	case w.IfNoneMatch == "*":
		return control.Precondition{Absent: true}, nil
	case w.IfNoneMatch != "":
		return control.Precondition{}, badPrecondition("If-None-Match can only be *, to create a document.")
	case w.IfMatch == "":
		return control.Precondition{}, nil
	}
	token, err := changelog.ParseToken(strings.Trim(w.IfMatch, `"`))
	if err != nil {
		return control.Precondition{}, badPrecondition("If-Match must be the ETag of the document as it was read, \"<epoch8>-<revision>\".")
	}
	return control.Precondition{Match: token}, nil
}

func badPrecondition(detail string) error {
	return newProblem(http.StatusBadRequest, typeInvalidRequest, detail)
}

// etag returns the entity tag of a revision.
func etag(t changelog.Token) string { return `"` + t.String() + `"` }
