package audit

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/flagside/flagside/sync/changelog"
)

// Options configure [Verify]. The zero value verifies the chains and the signatures that prove them.
type Options struct {
	// Environment is the one whose history is wanted: an export of another is refused. "" accepts any.
	Environment string
	// EverySignature verifies that of each record. Without it a record whose signature was damaged, and nothing else, is not noticed: what
	// follows proves it.
	EverySignature bool
	// Checkpoints are signed checkpoints that were kept elsewhere, one after the other; the history must contain what they name. "" is none.
	Checkpoints string
	// WithControl demands that the export has CONTROL. Without it, what checkpoints say about CONTROL counts only if the export has it.
	WithControl bool
	// Scratch is a directory for temporary files; "" is that of the system.
	Scratch string
}

// Verify reads an export to its end and returns what it holds. The error is a *[BadRecordError] that
// names the first record that is not proved or contradicts others, or tells why the export cannot be read. trust is all that is believed:
// use the newest trust file, because a key that was revoked counts until a keys note without it is known, from there or from the export.
// Memory holds the documents, what was decided about each change request, and no other records: their digests go to a temporary file.
func Verify(export io.Reader, trust changelog.Trust, o Options) (Report, error) {
	v := newVerifier(export, trust, o)
	err := v.run()
	return v.report, cmp.Or(err, v.release())
}

func newVerifier(export io.Reader, trust changelog.Trust, o Options) *verifier {
	return &verifier{
		options: o, keys: changelog.NewKeyring(trust), lines: newLineReader(export), decisions: newDecisions(), acts: newActs(),
		journals: make(map[string]*journalHistory),
	}
}

// verifier is a verification under way.
type verifier struct {
	options   Options
	keys      *changelog.Keyring
	lines     *lineReader
	header    Header
	report    Report
	histories []history // in the order in which they were begun
	journals  map[string]*journalHistory
	log       *logHistory
	decisions *decisions
	acts      *acts
}

// release removes the temporary files.
func (v *verifier) release() error {
	var errs []error
	if v.log != nil {
		errs = append(errs, v.log.places.close())
	}
	for _, journal := range v.journals {
		errs = append(errs, journal.places.close())
	}
	return errors.Join(errs...)
}

// history is what is verified of one stream.
type history interface {
	// take takes the next record.
	take(r Record, line int) error
	// finish verifies what only the end shows.
	finish() error
	// verifyNewest verifies that a key that counts now signed the newest record, which proves all others.
	verifyNewest() error
	head() changelog.StreamHead
	count() int
}

func (v *verifier) run() error {
	if err := v.begin(); err != nil {
		return err
	}
	var current history
	order := v.header.Streams
	for {
		var l line
		if err := v.lines.next(&l); err != nil {
			return v.unreadable(err)
		}
		if l.Checkpoint != "" {
			for ; len(order) > 0; order = order[1:] { // streams without records
				if err := v.close(current); err != nil {
					return err
				}
				current = v.open(order[0])
			}
			if err := v.close(current); err != nil {
				return err
			}
			return v.end(l.Checkpoint)
		}
		for current == nil || current.head().Stream != l.Stream {
			if len(order) == 0 {
				return &BadRecordError{Stream: l.Stream, Sequence: l.Record.Sequence, Line: v.lines.number, Reason: "the header of the export does not announce its stream here"}
			}
			if err := v.close(current); err != nil {
				return err
			}
			current, order = v.open(order[0]), order[1:]
		}
		if err := current.take(l.Record, v.lines.number); err != nil {
			return err
		}
	}
}

// begin reads the header.
func (v *verifier) begin() error {
	if err := v.lines.next(&v.header); err != nil {
		return v.unreadable(err)
	}
	h := v.header
	switch {
	case h.Version != exportVersion:
		return &BadRecordError{Line: 1, Reason: fmt.Sprintf("it is no export of version %d", exportVersion)}
	case h.Installation != v.keys.Installation():
		return &BadRecordError{Line: 1, Reason: fmt.Sprintf("it is of installation %.40q, the trust file of %s", h.Installation, v.keys.Installation())}
	case v.options.Environment != "" && h.Environment != v.options.Environment:
		return &BadRecordError{Line: 1, Reason: fmt.Sprintf("it is of environment %.80q, and the history of %q was asked for", h.Environment, v.options.Environment)}
	}
	v.report.Installation, v.report.Environment = h.Installation, h.Environment
	return v.verifyStreams()
}

// verifyStreams verifies that the header announces what exports have, in their order: nothing is compared with a ledger that is missing, or
// that comes behind the log.
func (v *verifier) verifyStreams() error {
	want := []string{"LEDGER_" + v.header.Environment, "FLAGS_" + v.header.Environment}
	switch {
	case slices.Equal(v.header.Streams, append([]string{"CONTROL"}, want...)):
		return nil
	case v.options.WithControl:
		return &BadRecordError{Line: 1, Reason: "it does not announce CONTROL, which was asked for, before the ledger and the log: export it with --with-control"}
	case slices.Equal(v.header.Streams, want):
		return nil
	}
	return &BadRecordError{Line: 1, Reason: fmt.Sprintf("it does not announce the streams %s and %s, in this order, with or without CONTROL before them", want[0], want[1])}
}

func (v *verifier) unreadable(err error) error {
	if errors.Is(err, errCut) {
		return &BadRecordError{Line: v.lines.number + 1, Reason: err.Error()}
	}
	return &BadRecordError{Line: v.lines.number, Reason: strings.TrimPrefix(err.Error(), fmt.Sprintf("line %d: ", v.lines.number))}
}

// open begins the history of a stream.
func (v *verifier) open(stream string) history {
	if strings.HasPrefix(stream, "FLAGS_") {
		v.log = newLogHistory(v, stream)
		v.histories = append(v.histories, v.log)
		return v.log
	}
	h := newJournalHistory(v, stream)
	v.journals[stream], v.histories = h, append(v.histories, h)
	return h
}

// ledger returns the history of the ledger, nil before it has begun.
func (v *verifier) ledger() *journalHistory { return v.journals["LEDGER_"+v.header.Environment] }

// close ends the history of a stream.
func (v *verifier) close(h history) error {
	if h == nil {
		return nil
	}
	v.report.Streams = append(v.report.Streams, StreamReport{Stream: h.head().Stream, Records: h.count(), Head: h.head()})
	return h.finish()
}

// end verifies what proves everything before, the newest records and the checkpoint of the export, and then the checkpoints that were kept
// elsewhere.
func (v *verifier) end(signed string) error {
	for _, h := range v.histories {
		if err := h.verifyNewest(); err != nil {
			return err
		}
	}
	bad := func(reason string) error { return &BadRecordError{Line: v.lines.number, Reason: reason} }
	checkpoint, err := v.keys.OpenCheckpoint(signed)
	if err != nil {
		return bad(fmt.Sprintf("the checkpoint of the export: %v", err))
	}
	for _, h := range v.histories {
		if err := closes(checkpoint, h.head()); err != nil {
			return err
		}
	}
	var more Record
	if err := v.lines.next(&more); !errors.Is(err, errCut) {
		return bad("something follows the checkpoint")
	}
	return v.verifyKept()
}

// closes verifies that the checkpoint at the end of an export names the newest record of a stream.
func closes(c changelog.Checkpoint, newest changelog.StreamHead) error {
	for _, h := range c.Heads {
		if h == newest {
			return nil
		}
		if h.Stream == newest.Stream {
			return &BadRecordError{Stream: h.Stream, Reason: fmt.Sprintf("the checkpoint of the export names %d as its newest record, and it ends at %d: records were cut off, added or changed", h.Sequence, newest.Sequence)}
		}
	}
	return &BadRecordError{Stream: newest.Stream, Reason: "the checkpoint of the export does not name it"}
}

// notListed says why a key proves nothing, although a keys note of the past lists it.
func (v *verifier) notListed(id uint32) string {
	return fmt.Sprintf("key %08x signed it, the newest record, and the newest keys note, version %d, does not list that key: anyone who has it could have "+
		"written this history. If the key was rotated after the export was made, export the history again", id, v.keys.Note().Version)
}

// warn notes something that an auditor should know and that does not question the history.
func (v *verifier) warn(format string, args ...any) {
	const most = 100
	text := fmt.Sprintf(format, args...)
	if len(v.report.Warnings) < most && !slices.Contains(v.report.Warnings, text) {
		v.report.Warnings = append(v.report.Warnings, text)
	}
}

// question warns that something is missing from the history, or is not proved.
func (v *verifier) question(format string, args ...any) {
	v.report.Incomplete = true
	v.warn(format, args...)
}
