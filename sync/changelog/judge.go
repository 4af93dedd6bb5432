package changelog

import (
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"

	"github.com/flagside/flagside/document"
)

// Message is a message of a log's stream, genuine or not.
type Message struct {
	Revision uint64 // sequence in the stream
	Subject  string // last token of its subject
	Proof    string // value of ProofHeader
	Data     []byte
}

// Verdict is what a [Judge] says about one message.
type Verdict int

// The verdicts. The zero value is none of them.
const (
	// Noise is not signed, or not in its place. It is skipped.
	Noise Verdict = iota + 1
	// Candidate continues what is known. Whether it is proved is decided by
	// [Judge.Settle].
	Candidate
	// Past is an entry that is known already.
	Past
	// Ahead is a signed entry after one that is missing here.
	Ahead
	// Different is a signed entry of a log that does not continue what is known.
	Different
	// EpochReplaced is a signed entry that replaces the state by that of a later epoch.
	EpochReplaced
	// Unreadable is signed, but by a newer publisher: it cannot be decoded here.
	Unreadable
)

// ErrUnreadable means that a signed entry cannot be decoded here.
var ErrUnreadable = errors.New("an entry cannot be read here")

// Judge tells the entries of a log from noise, and keeps the chain of those that
// are proved. Every method is for one goroutine.
//
// Only one signature of what is read together is verified, that of the newest
// entry: the entries before it are proved by its chain of digests.
type Judge struct {
	keys        *Keyring
	environment string
	chain       *Chain
	replaying   bool // renewals are entries like all others
	pending     candidates[Link, Record]
	bytes       int               // of the pending ones
	noted       uint64            // version of the newest keys note in what was proved
	notes       map[Link]uint64   // the same up to each candidate for which it differs
	misplaced   map[Link]struct{} // entries that were dismissed
	failures    uint64
	doubts      [2]uint64 // sequences of the first and the last message that only a retired key signed
}

// maxPending bounds the bytes of candidates that wait for proof over several
// reads.
const maxPending = 64 << 20

// NewJudge returns a judge of the log of an environment that stands after head,
// zero for one that knows nothing.
func NewJudge(keys *Keyring, environment string, head Position) *Judge {
	j := &Judge{keys: keys, environment: environment, chain: &Chain{}, notes: make(map[Link]uint64)}
	if !head.IsZero() {
		j.chain = NewChain(head)
	}
	return j
}

// NewReplayJudge returns a judge for reading a log as a history: an entry that
// renews the state is one like all others. Where head is zero it begins with any
// epoch entry that later ones prove.
func NewReplayJudge(keys *Keyring, environment string, head Position) *Judge {
	j := NewJudge(keys, environment, head)
	j.replaying = true
	return j
}

// Head returns the position of the last entry that was proved.
func (j *Judge) Head() Position { return j.chain.Head() }

// Compare is [Chain.Compare] with what was proved.
func (j *Judge) Compare(p Position) error { return j.chain.Compare(p) }

// After is [Chain.After] of what was proved.
func (j *Judge) After(revision uint64) Link { return j.chain.After(revision) }

// Failures returns how many signatures did not fit so far.
func (j *Judge) Failures() uint64 { return j.failures }

// Offer judges one message. The record is set for all verdicts but Noise and
// Unreadable. Messages are offered in ascending order between two calls of
// Settle.
func (j *Judge) Offer(m Message) (Verdict, Record) {
	r, err := decodeCandidate(j.environment, m)
	if err != nil {
		if errors.Is(err, ErrUnreadable) && j.signed(r) {
			return Unreadable, Record{}
		}
		return Noise, Record{}
	}
	if r.Kind == document.KindKeys {
		j.adopt(r)
	}
	head := j.chain.Head()
	switch {
	case j.dismissed(r):
		return Noise, Record{}
	case r.ReplacesEpoch() && !j.replaying:
		return j.offerRenewal(head, r)
	case r.Revision <= head.Revision:
		return j.offerPast(r)
	case j.continues(head, r):
		return Candidate, r
	case !j.signed(r):
		return Noise, Record{}
	case r.Prev.Revision > head.Revision && (r.Epoch == head.Epoch || head.IsZero()):
		return Ahead, r
	default:
		return Different, r
	}
}

// maxMisplaced bounds what is remembered of entries that were dismissed.
const maxMisplaced = 4096

// Dismiss makes noise of a signed entry that was found not to belong to the log, and
// of those that continue it: it is of a log that was replaced, and stored again.
func (j *Judge) Dismiss(r Record) {
	if j.misplaced == nil || len(j.misplaced) >= maxMisplaced {
		j.misplaced = make(map[Link]struct{})
	}
	j.misplaced[r.Position().Link()] = struct{}{}
}

// dismissed reports whether r was dismissed, or continues what was.
func (j *Judge) dismissed(r Record) bool {
	if len(j.misplaced) == 0 {
		return false
	}
	if _, is := j.misplaced[r.Position().Link()]; is {
		return true
	}
	if _, is := j.misplaced[r.Prev]; !is || r.ReplacesEpoch() && r.Epoch.Later(j.chain.Head().Epoch) {
		return false
	}
	if j.signed(r) { // or a forger could make us forget those that were
		j.Dismiss(r)
	}
	return true
}

// Pending reports whether candidates wait for [Judge.Settle].
func (j *Judge) Pending() bool { return len(j.pending.nodes) > 0 }

// Settle proves the newest candidate that is signed, and returns it together
// with all that it continues. The other candidates are noise. After limit
// signatures that do not fit all that is left counts as noise; a negative limit
// is none. The result is valid until the next call.
func (j *Judge) Settle(limit int) []Record {
	path, failures := j.pending.settle(j.verified, limit)
	j.bytes = 0
	return j.accept(path, failures)
}

// SettleSoFar is Settle where more of the stream is still to be read: candidates
// that later ones may prove are kept, because their signing keys may have been
// retired since. Their memory is bounded. The result is valid until the next call.
func (j *Judge) SettleSoFar() []Record {
	if j.bytes > maxPending {
		return j.Settle(-1)
	}
	path, failures := j.pending.settleSoFar(j.verified)
	for _, r := range path {
		j.bytes -= r.Size
	}
	return j.accept(path, failures)
}

func (j *Judge) accept(path []Record, failures int) []Record {
	j.failures += uint64(failures)
	if n := len(path); n > 0 {
		j.noted = j.notedAt(path[n-1])
	}
	if !j.Pending() {
		clear(j.notes)
	}
	for _, r := range path {
		if j.replaying && j.chain.Head().IsZero() {
			j.chain = NewChain(r.Position())
			continue
		}
		if err := j.chain.Extend(r); err != nil {
			panic("changelog: a candidate does not continue the head: " + err.Error()) // continues has seen to it
		}
	}
	return path
}

// OpenEntry returns the entry of a message if a publisher signed it for its
// place in the log of an environment, and what is wrong with it else:
// [ErrUnsigned], or [ErrUnreadable] for a signed one that cannot be decoded here.
// What it continues is not looked at.
func (k *Keyring) OpenEntry(environment string, m Message) (Record, error) {
	r, err := decodeCandidate(environment, m)
	if err != nil && !errors.Is(err, ErrUnreadable) {
		return Record{}, err
	}
	if verification := k.VerifyHead(environment, r.Head()); verification != nil {
		return Record{}, verification
	}
	return r, err
}

// OpenPastEntry is [Keyring.OpenEntry] with the keys of all keys notes that were
// adopted. It is for showing the past.
func (k *Keyring) OpenPastEntry(environment string, m Message) (Record, error) {
	r, err := decodeCandidate(environment, m)
	if err != nil && !errors.Is(err, ErrUnreadable) {
		return Record{}, err
	}
	if verification := k.VerifyPastHead(environment, r.Head()); verification != nil {
		return Record{}, verification
	}
	return r, err
}

// continues takes r as a candidate if it follows the head or another candidate,
// or begins a log that nothing is known of.
func (j *Judge) continues(head Position, r Record) bool {
	root, first := head.Link(), r.Prev == (Link{})
	switch {
	case r.Kind == document.KindEpoch && j.replaying && head.IsZero():
		if _, known := j.pending.get(r.Prev); !known {
			root = r.Prev
		} else if !r.Epoch.Later(j.epochOf(head, r.Prev)) {
			return false
		}
	case r.Kind == document.KindEpoch && r.ReplacesEpoch():
		if !r.Epoch.Later(j.epochOf(head, r.Prev)) {
			return false
		}
	case first != (r.Kind == document.KindEpoch):
		return false // an epoch entry that renews nothing is the first of a log
	case !first && r.Epoch != j.epochOf(head, r.Prev):
		return false
	}
	link := r.Position().Link()
	added := j.pending.add(root, r.Prev, link, r)
	if added {
		j.bytes += r.Size
		if noted := j.notedAt(r); noted != j.noted {
			j.notes[link] = noted
		}
	}
	return added
}

// notedAt returns the version of the newest keys note in the history up to a
// candidate.
func (j *Judge) notedAt(r Record) uint64 {
	before, differs := j.notes[r.Prev]
	if !differs {
		before = j.noted
	}
	if r.Kind != document.KindKeys {
		return before
	}
	text, err := KeysText(r.Put)
	if err != nil {
		return before
	}
	return max(before, j.keys.VersionOf(text))
}

// epochOf returns the epoch of the head or the candidate with a link.
func (j *Judge) epochOf(head Position, link Link) Epoch {
	if link == head.Link() {
		return head.Epoch
	}
	parent, _ := j.pending.get(link)
	return parent.Epoch
}

func (j *Judge) offerRenewal(head Position, r Record) (Verdict, Record) {
	switch {
	case r.Epoch == head.Epoch && r.Revision <= head.Revision:
		return j.offerPast(r)
	case !j.signed(r):
		return Noise, Record{}
	case !r.Epoch.Later(head.Epoch):
		return Different, r
	default:
		return EpochReplaced, r
	}
}

func (j *Judge) offerPast(r Record) (Verdict, Record) {
	switch {
	case j.chain.Compare(r.Position()) == nil:
		return Past, r
	case j.signed(r):
		return Different, r
	default:
		return Noise, Record{}
	}
}

// adopt takes the keys note of an entry over, whether the entry is in its place
// or not: a root signed it.
func (j *Judge) adopt(r Record) {
	text, err := KeysText(r.Put)
	if err == nil {
		err = j.keys.Adopt(text)
	}
	if err != nil {
		j.failures++
	}
}

// KeysText returns the keys note that a document of kind keys holds.
func KeysText(body []byte) (string, error) {
	var text string
	if err := json.Unmarshal(body, &text); err != nil {
		return "", fmt.Errorf("%w: %w", ErrKeysNote, err)
	}
	return text, nil
}

// KeysDocument returns the document that holds a keys note.
func KeysDocument(n KeysNote) (document.Document, error) {
	body, err := json.Marshal(n.Text)
	if err != nil {
		return document.Document{}, fmt.Errorf("%w: %w", ErrKeysNote, err)
	}
	return document.Document{Kind: document.KindKeys, Key: document.KeysKey, Body: body}, nil
}

// signed verifies one entry, and counts when it fails.
func (j *Judge) signed(r Record) bool {
	if j.verified(r) {
		return true
	}
	j.failures++
	return false
}

func (j *Judge) verified(r Record) bool {
	if j.keys.VerifyHeadUnder(j.notedAt(r), j.environment, r.Head()) == nil {
		return true
	}
	if j.keys.RetiredHead(j.environment, r.Head()) {
		j.doubtAt(r.Revision)
	}
	return false
}

func (j *Judge) doubtAt(sequence uint64) {
	if j.Doubt() == 0 {
		j.doubts = [2]uint64{sequence, sequence}
	}
	j.doubts = [2]uint64{min(j.doubts[0], sequence), max(j.doubts[1], sequence)}
}

// Doubt returns the sequence of the first message known behind the head that a key
// signed which is retired by now, zero if there is none. It is noise, unless the keys
// note was known before the log came to it: then an entry that proves it is still to
// come.
func (j *Judge) Doubt() uint64 {
	for _, sequence := range j.doubts {
		if sequence > j.chain.Head().Revision {
			return sequence
		}
	}
	return 0
}

// Reassure tells that a publisher, who signs now, has found nothing but noise between
// the head and a sequence.
func (j *Judge) Reassure(end uint64) {
	for i, sequence := range j.doubts {
		if sequence <= end {
			j.doubts[i] = j.doubts[1]
		}
	}
	if j.doubts[1] <= end {
		j.doubts = [2]uint64{}
	}
}

// decodeCandidate returns the entry of a message that is complete and in its
// place but for what it continues. One that cannot be decoded is
// [ErrUnreadable], with as much of the record as is needed to verify it.
func decodeCandidate(environment string, m Message) (Record, error) {
	epoch, state, signature, err := parseProof(m.Proof)
	if err != nil {
		return Record{}, err
	}
	e, err := DecodeEntry(m.Data)
	if err != nil {
		claimed := Entry{Environment: environment, Epoch: epoch, Revision: m.Revision, State: state}
		return Record{Entry: claimed, Digest: Sum(m.Data), Signature: signature}, fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	switch {
	case e.Environment != environment, e.Revision != m.Revision, e.Epoch != epoch, e.State != state:
		return Record{}, fmt.Errorf("%w: it belongs to another place", ErrUnsigned)
	case Subject(e.ID()) != m.Subject:
		return Record{}, fmt.Errorf("%w: it is about %s and has the subject of another document", ErrUnsigned, e.ID())
	}
	return Record{Entry: e, Digest: Sum(m.Data), Signature: signature, Size: len(m.Data)}, nil
}

// OpenNamedEntry returns the epoch entry of a message that something signed, such
// as a heartbeat, names by its epoch and revision. Its own signature is not
// looked at: the key may have been retired since. What follows has to prove it.
func OpenNamedEntry(environment string, epoch Epoch, m Message) (Record, error) {
	r, err := decodeCandidate(environment, m)
	if err == nil && (r.Kind != document.KindEpoch || r.Epoch != epoch) {
		err = fmt.Errorf("%w: revision %d does not begin epoch %s", ErrUnsigned, m.Revision, epoch.Short())
	}
	return r, err
}

// DecodeSigned returns the entry of a message that is complete and in its place
// but for what it continues. Its signature is not verified.
func DecodeSigned(environment string, m Message) (Record, error) {
	return decodeCandidate(environment, m)
}
