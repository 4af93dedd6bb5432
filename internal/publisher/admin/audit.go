package admin

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/audit"
)

// exportTimeout bounds how long an export may take to be read.
const exportTimeout = 30 * time.Minute

type getNote struct {
	EnvironmentPath

	Stream   string `path:"stream" enum:"log,ledger" doc:"Which stream the record stands in."`
	Sequence uint64 `path:"sequence" minimum:"1" doc:"The revision of an entry of the log, or the number of a record of the ledger."`
}

// registerAudit adds what proves the history.
func (s *server) registerAudit(h huma.API) {
	const path = "/api/v1/environments/{environment}/audit"
	export := reading(operation(http.MethodGet, path+"/export", "exportAudit",
		"Export the ledger and the log of an environment, each record with its proof, as JSON Lines", environmentsTag))
	export.Metadata[mustAuthenticate] = true
	huma.Register(h, streamed(export), func(ctx context.Context, in *EnvironmentPath) (*huma.StreamResponse, error) {
		return s.exportAudit(ctx, in.Environment, false)
	})
	complete := needing(access.Administer, operation(http.MethodGet, path+"/export-with-control", "exportAuditWithControl",
		"The same with CONTROL, which records environments and tokens", environmentsTag))
	huma.Register(h, streamed(complete), func(ctx context.Context, in *EnvironmentPath) (*huma.StreamResponse, error) {
		return s.exportAudit(ctx, in.Environment, true)
	})
	verify := reading(operation(http.MethodPost, path+"/verification", "verifyAudit",
		"Verify the history of an environment with the keys that the publisher trusts; an export, a trust file and flagside audit verify prove it without the publisher", environmentsTag))
	verify.Metadata[mustAuthenticate] = true
	huma.Register(h, verify, func(ctx context.Context, in *EnvironmentPath) (*content[api.Verification], error) {
		ctx, t := s.begin(context.WithoutCancel(ctx), in.Environment, api.TaskVerify, 1) // it has records to verify once it is its turn
		defer t.abandon()
		body, err := s.verifyAudit(ctx, in.Environment)
		if err != nil {
			err = s.problem(err)
			t.end(err, nil)
			return nil, err
		}
		t.end(nil, func(told *api.Task) { told.Verification = &body })
		return &content[api.Verification]{Body: body}, nil
	})
	note := reading(operation(http.MethodGet, path+"/notes/{stream}/{sequence}", "getNote",
		"Get the proof of a record as a signed note, which other tools verify", environmentsTag))
	note.Metadata[mustAuthenticate] = true
	huma.Register(h, note, func(ctx context.Context, in *getNote) (*content[api.Note], error) {
		text, err := s.options.Environments.Note(ctx, in.Environment, in.Stream, in.Sequence)
		if err != nil {
			return nil, s.problem(err)
		}
		return &content[api.Note]{Body: api.Note{Note: text}}, nil
	})
}

// streamed describes an answer that is an export.
func streamed(op huma.Operation) huma.Operation {
	op.Responses["200"] = &huma.Response{
		Description: "A header, the records, and a signed checkpoint, one JSON object a line",
		Content:     map[string]*huma.MediaType{api.ExportMedia: {Schema: &huma.Schema{Type: huma.TypeString}}},
	}
	return op
}

func (s *server) exportAudit(ctx context.Context, environment string, withControl bool) (*huma.StreamResponse, error) {
	source, err := s.options.Environments.Audit(ctx, environment, withControl)
	if err != nil {
		return nil, s.problem(err)
	}
	return &huma.StreamResponse{Body: func(out huma.Context) {
		w := out.BodyWriter()
		if bounded, ok := w.(*answer); ok && !bounded.stream(streamCost) {
			return
		}
		out.SetHeader("Content-Type", api.ExportMedia)
		if rw, ok := w.(http.ResponseWriter); ok {
			_ = http.NewResponseController(rw).SetWriteDeadline(time.Now().Add(exportTimeout)) // best effort: a reader that stops is cut off
		}
		if err := audit.Export(out.Context(), w, source); err != nil {
			s.options.Logger.Warn().Err(err).Str("environment", environment).Msg("export not completed")
		}
	}}, nil
}

func (s *server) verifyAudit(ctx context.Context, environment string) (api.Verification, error) {
	version, keys, err := s.options.Environments.KeysNote(ctx, environment)
	if err != nil {
		return api.Verification{}, err
	}
	report, err := s.options.Environments.VerifyAudit(ctx, environment)
	bad, isBad := errors.AsType[*audit.BadRecordError](err)
	if err != nil && !isBad {
		return api.Verification{}, err
	}
	out := api.Verification{
		Verified: err == nil, Complete: err == nil && !report.Incomplete, Installation: report.Installation, KeysVersion: version, Keys: keys,
		Streams: []api.VerificationStream{}, Warnings: report.Warnings, Time: time.Now().UTC(),
	}
	if isBad {
		out.Problem = bad.Error()
	}
	for _, one := range report.Streams {
		out.Streams = append(out.Streams, api.VerificationStream{Stream: one.Stream, Records: one.Records, Last: one.Head.Sequence})
	}
	return out, nil
}
