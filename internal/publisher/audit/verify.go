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
	// EverySignature verifies that of each record. Without it a record whose signature was damaged, and nothing else, is not noticed: what
	// follows proves it.
	EverySignature bool
	// Checkpoints are signed checkpoints that were kept elsewhere, one after the other; the history must contain what they name. "" is none.
	Checkpoints string
}

// Verify reads an export to its end and returns what it holds. The error is a *[BadRecordError] that
// names the first record that is not proved or contradicts others, or tells why the export cannot be read. trust is all that is believed.
// Memory holds the documents, what was decided about each change request, and no other records: their digests go to a temporary file.
func Verify(export io.Reader, trust changelog.Trust, o Options) (Report, error) {
	v := &verifier{
		options: o, keys: changelog.NewKeyring(trust), lines: newLineReader(export), decisions: newDecisions(),
		journals: make(map[string]*journalHistory),
	}
	err := v.run()
	return v.report, cmp.Or(err, v.release())
}

// verifier is a verification under way.
type verifier struct {
	options   Options
	keys      *changelog.Keyring
	lines     *lineReader
	header    Header
	report    Report
	journals  map[string]*journalHistory
	log       *logHistory
	decisions *decisions
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
	}
	known := []string{"CONTROL", "LEDGER_" + h.Environment, "FLAGS_" + h.Environment}
	for i, stream := range h.Streams {
		if !slices.Contains(known, stream) || slices.Contains(h.Streams[:i], stream) {
			return &BadRecordError{Line: 1, Reason: fmt.Sprintf("it announces stream %.80q, which is of another environment or announced before", stream)}
		}
	}
	v.report.Installation, v.report.Environment = h.Installation, h.Environment
	return nil
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
		return v.log
	}
	h := newJournalHistory(v, stream)
	v.journals[stream] = h
	return h
}

// close ends the history of a stream.
func (v *verifier) close(h history) error {
	if h == nil {
		return nil
	}
	v.report.Streams = append(v.report.Streams, StreamReport{Stream: h.head().Stream, Records: h.count(), Head: h.head()})
	return h.finish()
}

// end verifies the checkpoint of the export, and the one that was kept elsewhere.
func (v *verifier) end(signed string) error {
	bad := func(reason string) error { return &BadRecordError{Line: v.lines.number, Reason: reason} }
	checkpoint, err := v.keys.OpenCheckpoint(signed)
	if err != nil {
		return bad(fmt.Sprintf("the checkpoint of the export: %v", err))
	}
	for _, h := range checkpoint.Heads {
		if found, ok := v.headOf(h.Stream); !ok || found.Sequence < h.Sequence {
			return &BadRecordError{Stream: h.Stream, Reason: fmt.Sprintf("it ends at %d, and the checkpoint of the export names %d: records were cut off", found.Sequence, h.Sequence)}
		}
		if err := v.contains(h); err != nil {
			return err
		}
	}
	var more Record
	if err := v.lines.next(&more); !errors.Is(err, errCut) {
		return bad("something follows the checkpoint")
	}
	return v.verifyKept()
}

// verifyKept verifies the checkpoints that were kept elsewhere. One that was written in part, or not by a publisher, says nothing; at least
// one must say something.
func (v *verifier) verifyKept() error {
	if v.options.Checkpoints == "" {
		return nil
	}
	var unproved error
	proved := 0
	for i, signed := range splitCheckpoints(v.options.Checkpoints) {
		kept, err := v.keys.OpenCheckpoint(signed)
		if err != nil {
			unproved = fmt.Errorf("checkpoint %d of those that were kept: %w", i+1, err)
			v.warn("%v", unproved)
			continue
		}
		proved++
		for _, h := range kept.Heads {
			if err := v.contains(h); err != nil {
				return err
			}
		}
	}
	if proved == 0 {
		return cmp.Or(unproved, errors.New("the file of checkpoints has none"))
	}
	return nil
}

func (v *verifier) headOf(stream string) (changelog.StreamHead, bool) {
	for _, s := range v.report.Streams {
		if s.Stream == stream {
			return s.Head, true
		}
	}
	return changelog.StreamHead{}, false
}

// contains reports whether the history has the record that a checkpoint names.
func (v *verifier) contains(h changelog.StreamHead) error {
	var known *places
	switch {
	case h.Sequence == 0:
		return nil
	case v.log != nil && v.log.stream == h.Stream:
		known = &v.log.places
	case v.journals[h.Stream] != nil:
		known = &v.journals[h.Stream].places
	default:
		v.warnOfMissing(h.Stream)
		return nil
	}
	digest, found, err := known.digest(h.Sequence)
	if err != nil || found && digest == h.Digest {
		return err
	}
	if v.log != nil && v.log.stream == h.Stream && !v.log.epochs[h.Epoch] {
		v.warn("a checkpoint names revision %d of epoch %s, which the log does not have any more: it was recreated after its stream was lost, or rewritten", h.Sequence, h.Epoch.Short())
		return nil
	}
	return &BadRecordError{Stream: h.Stream, Sequence: h.Sequence, Reason: "a checkpoint names another record here: the history was rewritten or cut"}
}

// warnOfMissing warns, once, that an export lacks a stream of its environment. Checkpoints name those of all environments.
func (v *verifier) warnOfMissing(stream string) {
	switch stream {
	case "CONTROL", "FLAGS_" + v.header.Environment, "LEDGER_" + v.header.Environment:
	default:
		return
	}
	warning := fmt.Sprintf("a checkpoint names %s, which the export does not have", stream)
	if !slices.Contains(v.report.Warnings, warning) {
		v.warn("%s", warning)
	}
}

func (v *verifier) warn(format string, args ...any) {
	const most = 100
	if len(v.report.Warnings) < most {
		v.report.Warnings = append(v.report.Warnings, fmt.Sprintf(format, args...))
	}
}
