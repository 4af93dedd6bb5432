package audit

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/flagside/flagside/sync/changelog"
)

// columns are those of the table.
func columns() []string {
	return []string{"time", "environment", "revision", "actor", "approvers", "reason", "change_request", "kind", "key", "field", "before", "after"}
}

// Table reads an export and writes its changes as CSV (RFC 4180), a line for each field that changed. It proves nothing: verify the export.
func Table(export io.Reader, out io.Writer) error {
	lines := newLineReader(export)
	var header Header
	if err := lines.next(&header); err != nil {
		return err
	}
	w := csv.NewWriter(out)
	if err := w.Write(columns()); err != nil {
		return err
	}
	for {
		var l line
		err := lines.next(&l)
		if err == nil && l.Checkpoint == "" {
			err = writeRows(w, header.Environment, l.Record)
		}
		if l.Checkpoint != "" || errors.Is(err, errCut) {
			w.Flush()
			return errors.Join(err, w.Error())
		}
		if err != nil {
			return err
		}
	}
}

func writeRows(w *csv.Writer, environment string, r Record) error {
	if !strings.HasPrefix(r.Stream, "FLAGS_") {
		return nil
	}
	e, err := changelog.DecodeEntry([]byte(r.Data))
	if err != nil {
		return fmt.Errorf("%s at %d: %w", r.Stream, r.Sequence, err)
	}
	changes := r.Changes
	if len(changes) == 0 {
		changes = []Difference{{}}
	}
	for _, c := range changes {
		row := []string{
			e.Time.UTC().Format(time.RFC3339Nano), environment, strconv.FormatUint(e.Revision, 10), e.Actor, strings.Join(e.Approvers, " "), e.Reason,
			e.Request, string(e.Kind), e.Key, c.Field, string(c.Before), string(c.After),
		}
		for i, cell := range row {
			row[i] = harmless(cell)
		}
		if err := w.Write(row); err != nil {
			return err
		}
	}
	return nil
}

// harmless keeps spreadsheets from taking a cell for a formula.
func harmless(cell string) string {
	if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
		return "'" + cell
	}
	return cell
}
