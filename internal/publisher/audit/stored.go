package audit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/sync/backup"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/writer"
)

// Messages are the messages of a stream as they were stored, noise too. All may be called again.
type Messages struct {
	Stream string
	Last   uint64 // the sequence that they end with
	All    func() backup.Sequence
}

// Copied are streams that were copied as they are stored.
type Copied struct {
	Environment string
	// Streams are CONTROL, the ledger and the log.
	Streams []Messages
	// Checkpoint is a signed note that names the newest record of each, as it was when they were copied.
	Checkpoint string
	// Scratch is a directory for temporary files; "" is that of the system.
	Scratch string
}

// State is what a log leads to.
type State struct {
	Position  changelog.Position
	Documents []document.Document // by kind and key, without the keys note
}

// VerifyCopied is [Verify] of streams as they are stored, and also returns the state that the log leads to.
func VerifyCopied(ctx context.Context, c Copied, trust changelog.Trust) (Report, State, error) {
	source := Source{Environment: c.Environment, sealed: sealed{trust.Installation(), c.Checkpoint}}
	for _, m := range c.Streams {
		source.Streams = append(source.Streams, Stream{Name: m.Stream, Records: m.records(trust)})
	}
	out, in := io.Pipe()
	exported := make(chan error, 1)
	go func() {
		err := Export(ctx, in, source)
		in.CloseWithError(err)
		exported <- err
	}()
	v := newVerifier(out, trust, Options{Environment: c.Environment, WithControl: true, Scratch: c.Scratch})
	err := v.run()
	out.CloseWithError(errVerified)
	if failed := <-exported; failed != nil && !errors.Is(failed, errVerified) {
		err = failed // of which the verification only saw the end
	}
	err = cmp.Or(withoutLine(err), v.release())
	if err != nil {
		return v.report, State{}, err
	}
	return v.report, v.log.final(), nil
}

// errVerified ends an export of which no more is needed.
var errVerified = errors.New("the verification is over")

func withoutLine(err error) error {
	if bad, ok := errors.AsType[*BadRecordError](err); ok {
		copied := *bad
		copied.Line = 0
		return &copied
	}
	return err
}

func (h *logHistory) final() State {
	s := State{Position: h.last.Position()}
	for _, d := range h.documents {
		if d.Kind != document.KindKeys {
			s.Documents = append(s.Documents, d)
		}
	}
	slices.SortFunc(s.Documents, func(a, b document.Document) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Key, b.Key))
	})
	return s
}

// VerifyJournal verifies a journal alone: that it is signed up to the record that the checkpoint names.
func VerifyJournal(m Messages, checkpoint string, trust changelog.Trust) error {
	c, err := changelog.NewKeyring(trust).OpenPastCheckpoint(checkpoint)
	if err != nil {
		return err
	}
	var last changelog.StreamHead
	for r, err := range m.records(trust) {
		if err != nil {
			return err
		}
		last.Anchor = changelog.Anchor{Sequence: r.Sequence, Digest: changelog.Sum(r.Data)}
	}
	if last.Stream = m.Stream; !slices.Contains(c.Heads, last) {
		return &BadRecordError{Stream: m.Stream, Sequence: last.Sequence, Reason: "the checkpoint names another record as the newest one: records were cut off, added or changed"}
	}
	return nil
}

// records returns the records among the messages, as they are exported.
func (m Messages) records(trust changelog.Trust) iter.Seq2[writer.Stored, error] {
	return func(yield func(writer.Stored, error) bool) {
		valid, err := m.valid(changelog.NewKeyring(trust))
		if err != nil {
			yield(writer.Stored{}, err)
			return
		}
		_, isLog := backup.Environment(m.Stream)
		for message, err := range m.All() {
			if err != nil {
				yield(writer.Stored{}, err)
				return
			}
			if !valid.has(message.Sequence) {
				continue
			}
			s := writer.Stored{Stream: m.Stream, Sequence: message.Sequence, Proof: proofOf(message), Data: message.Data, Time: message.Time}
			if isLog {
				s.Subject = tokenOf(message)
			}
			if !yield(s, nil) {
				return
			}
		}
	}
}

// window is how many messages are judged together.
const window = 1024

// valid judges all messages, and returns the sequences of those that are records.
func (m Messages) valid(keys *changelog.Keyring) (sequences, error) {
	environment, isLog := backup.Environment(m.Stream)
	if isLog {
		return m.judge(newLogJudging(keys, environment))
	}
	return m.judge(&journalJudging{judge: changelog.NewJournalJudge(keys, m.Stream, changelog.Anchor{}), subject: subjectOf(m.Stream)})
}

// judging tells the records of a stream from noise.
type judging interface {
	offer(m backup.Message)
	// settle returns the sequences of what is proved by now; at the end, all else is noise.
	settle(end bool) iter.Seq[uint64]
}

func (m Messages) judge(j judging) (valid sequences, err error) {
	valid = newSequences()
	offered := 0
	settle := func(end bool) {
		for sequence := range j.settle(end) {
			valid.add(sequence)
		}
	}
	for message, err := range m.All() {
		if err != nil {
			return sequences{}, err
		}
		if message.Sequence > m.Last {
			return sequences{}, fmt.Errorf("%s goes on behind %d", m.Stream, m.Last)
		}
		j.offer(message)
		if offered++; offered%window == 0 {
			settle(false)
		}
	}
	settle(true)
	return valid, nil
}

type logJudging struct {
	judge       *changelog.Judge
	environment string
}

func newLogJudging(keys *changelog.Keyring, environment string) *logJudging {
	return &logJudging{changelog.NewReplayJudge(keys, environment, changelog.Position{}), environment}
}

func (j *logJudging) offer(m backup.Message) {
	verdict, r := j.judge.Offer(changelog.Message{Revision: m.Sequence, Subject: tokenOf(m), Proof: proofOf(m), Data: m.Data})
	if verdict == changelog.Ahead || verdict == changelog.Different {
		j.judge.Dismiss(r) // it was stored again; if it was not, something is missing, which the verification finds
	}
}

func (j *logJudging) settle(end bool) iter.Seq[uint64] {
	settled := j.judge.SettleSoFar
	if end {
		settled = func() []changelog.Record { return j.judge.Settle(-1) }
	}
	return func(yield func(uint64) bool) {
		for _, r := range settled() {
			if !yield(r.Revision) {
				return
			}
		}
	}
}

type journalJudging struct {
	judge   *changelog.JournalJudge
	subject string
}

func (j *journalJudging) offer(m backup.Message) {
	if m.Subject == j.subject {
		j.judge.Offer(changelog.JournalMessage{Sequence: m.Sequence, Proof: proofOf(m), Data: m.Data})
	}
}

func (j *journalJudging) settle(bool) iter.Seq[uint64] {
	return func(yield func(uint64) bool) {
		for _, r := range j.judge.Settle() {
			if !yield(r.Sequence) {
				return
			}
		}
	}
}

// subjectOf returns the subject of the records of a journal.
func subjectOf(stream string) string {
	if environment, ok := strings.CutPrefix(stream, "LEDGER_"); ok {
		return writer.LedgerOf(environment).Subject()
	}
	return writer.ControlLedger().Subject()
}

// tokenOf returns the last token of the subject of an entry, "" of what is none.
func tokenOf(m backup.Message) string {
	tokens := strings.SplitN(m.Subject, ".", 3)
	if len(tokens) < 3 {
		return ""
	}
	return tokens[2]
}

// proofOf returns the proof of a message, "" unless it has exactly one.
func proofOf(m backup.Message) (proof string) {
	count := 0
	for _, f := range m.Headers {
		if f.Name == changelog.ProofHeader {
			proof = f.Value
			count++
		}
	}
	if count != 1 {
		return ""
	}
	return proof
}

// sequences is a set of numbers, a bit each. It grows as they come.
type sequences struct{ bits map[uint64]*[1 << 10]uint64 }

func newSequences() sequences { return sequences{make(map[uint64]*[1 << 10]uint64)} }

func (s sequences) add(n uint64) {
	page := s.bits[n>>16]
	if page == nil {
		page = new([1 << 10]uint64)
		s.bits[n>>16] = page
	}
	page[n>>6&(1<<10-1)] |= 1 << (n & 63)
}

func (s sequences) has(n uint64) bool {
	page := s.bits[n>>16]
	return page != nil && page[n>>6&(1<<10-1)]&(1<<(n&63)) != 0
}

// Environments returns the environments that CONTROL names, archived ones too, by name.
func Environments(control Messages, trust changelog.Trust) ([]writer.Environment, error) {
	return writer.EnvironmentsOf(func(yield func(writer.Record, error) bool) {
		for s, err := range control.records(trust) {
			r := changelog.JournalRecord{}
			if err == nil {
				r, err = changelog.DecodeJournalRecord(s.Data)
			}
			if !yield(writer.Record{Sequence: r.Sequence, OpID: r.OpID, Body: r.Body, Digest: r.Digest, Prev: r.Prev}, err) || err != nil {
				return
			}
		}
	})
}
