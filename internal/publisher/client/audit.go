package client

import (
	"context"
	"io"
	"strconv"

	"github.com/flagside/flagside/internal/publisher/api"
)

// Ledger returns a part of what was decided and refused in an environment, the newest first.
func (c *Client) Ledger(ctx context.Context, environment string, q api.LedgerQuery) (api.EventList, error) {
	return answer[api.EventList](ctx, c, get("environments", environment, "ledger").with(q))
}

// ExportAudit opens the export of the history of an environment, as JSON Lines, with CONTROL or without. The caller closes it.
func (c *Client) ExportAudit(ctx context.Context, environment string, withControl bool) (io.ReadCloser, error) {
	export := "export"
	if withControl {
		export = "export-with-control"
	}
	return c.stream(ctx, get("environments", environment, "audit", export))
}

// Note returns the proof of a record of an environment as a signed note. The stream is log or ledger.
func (c *Client) Note(ctx context.Context, environment, stream string, sequence uint64) (api.Note, error) {
	return answer[api.Note](ctx, c, get("environments", environment, "audit", "notes", stream, strconv.FormatUint(sequence, 10)))
}

// VerifyAudit has the publisher read an environment's streams and the installation's from their beginnings, and tells whether everything is what was
// signed. It may take minutes, and a publisher does one at a time. flagside audit verify proves the same without believing the publisher.
func (c *Client) VerifyAudit(ctx context.Context, environment string) (api.Verification, error) {
	return answer[api.Verification](ctx, c, post("environments", environment, "audit", "verification").readOnly())
}

// ControlRecords returns a part of what was done to the installation, the newest first.
func (c *Client) ControlRecords(ctx context.Context, q api.RecordQuery) (api.RecordList, error) {
	return answer[api.RecordList](ctx, c, get("control", "records").with(q))
}

// ReviewControl records that what a record of CONTROL says was reviewed. Headers other than the reason mean nothing.
func (c *Client) ReviewControl(ctx context.Context, sequence uint64, h api.AdministrationHeaders) (api.Record, error) {
	return answer[api.Record](ctx, c, post("control", "records", strconv.FormatUint(sequence, 10), "review").with(h))
}

// RepairControl has CONTROL go on behind a damage. It takes a reason.
func (c *Client) RepairControl(ctx context.Context, h api.RepairHeaders) (api.Repaired, error) {
	return answer[api.Repaired](ctx, c, post("control", "repair").with(h))
}
