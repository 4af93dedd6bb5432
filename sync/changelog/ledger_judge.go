package changelog

import (
	"errors"
	"fmt"
	"slices"
)

// ErrRetiredKey means that a journal holds nothing that a key of the newest keys
// note signed.
var ErrRetiredKey = errors.New("the newest keys note no longer lists the keys that signed the ledger")

// heldBodies is how many bytes of bodies a [LedgerJudge] holds while nothing
// proves them. Records beyond it come back without a body.
const heldBodies = 16 << 20

// LedgerMessage is a message on the subject of a journal, genuine or not.
type LedgerMessage struct {
	Sequence uint64 // in the stream
	Proof    string // value of ProofHeader
	Data     []byte
}

// LedgerJudge tells the records of a journal from noise. Every method is for
// one goroutine.
//
// Of what is read together only the newest record must be signed by a key that
// counts: the ones before it are proved by its chain of digests, whatever keys
// signed them. A record that begins a new chain on an operator's word, see
// [LedgerRepair], may stand behind any place, and what was signed before it
// stays valid.
type LedgerJudge struct {
	keys   *Keyring
	stream string
	head   Anchor

	nodes      []ledgerNode // candidates, in ascending order
	index      map[Anchor]int
	unreadable []uint64 // signed by a newer publisher
	held       int      // bytes of the bodies of nodes
	noted      uint64   // newest version of a keys note that the journal carries
}

// ledgerNode is a record that looks valid and is not proved yet.
type ledgerNode struct {
	record   LedgerRecord
	parents  []int    // the candidates that it proves
	keeps    []Anchor // what a repair proves
	repair   bool
	orphan   bool   // what it follows is unknown
	grounded bool   // its chain begins at the head, or with a repair
	failed   uint64 // one more than the version of the keys note it failed with
}

// NewLedgerJudge returns a judge of the journal in a stream that stands after
// head, zero for one that knows nothing.
func NewLedgerJudge(keys *Keyring, stream string, head Anchor) *LedgerJudge {
	return &LedgerJudge{keys: keys, stream: stream, head: head, index: make(map[Anchor]int)}
}

// Head returns the newest record that was proved.
func (j *LedgerJudge) Head() Anchor { return j.head }

// NotedKeys returns the newest version of a keys note that was read, 0 if none.
func (j *LedgerJudge) NotedKeys() uint64 { return j.noted }

// Offer judges one message: [Noise], [Past], [Unreadable], or [Candidate], about
// which [LedgerJudge.Settle] decides. Messages are offered in ascending order.
func (j *LedgerJudge) Offer(m LedgerMessage) Verdict {
	if m.Sequence <= j.head.Sequence {
		return Past
	}
	r, err := DecodeLedgerRecord(m.Data)
	switch {
	case err != nil:
		return j.offerUnreadable(m)
	case r.Stream != j.stream || r.Sequence != m.Sequence:
		return Noise
	}
	r.Signature = Signature(m.Proof)
	if _, _, err := r.Signature.decode(); err != nil {
		return Noise
	}
	j.adopt(r)
	n := ledgerNode{record: r}
	if repair, ok := RepairOf(r); ok {
		n.repair, n.keeps = true, append(repair.Kept, repair.Leaves)
	}
	if j.held += len(r.Body); j.held > heldBodies {
		j.held -= len(r.Body)
		n.record.Body = nil
	}
	j.add(n)
	return Candidate
}

func (j *LedgerJudge) offerUnreadable(m LedgerMessage) Verdict {
	at := Anchor{Sequence: m.Sequence, Digest: Sum(m.Data)}
	if j.keys.VerifyRecord(j.stream, at, Signature(m.Proof)) != nil {
		return Noise
	}
	j.unreadable = append(j.unreadable, m.Sequence)
	return Unreadable
}

// adopt takes the keys note of a record over, whether the record is in its place
// or not: a root signed it.
func (j *LedgerJudge) adopt(r LedgerRecord) {
	text, ok := keysOf(r)
	if !ok {
		return
	}
	if j.keys.Adopt(text) != nil {
		return
	}
	if n, err := j.keys.trust.open(text); err == nil {
		j.noted = max(j.noted, n.Version)
	}
}

// add connects a candidate with what it follows.
func (j *LedgerJudge) add(n ledgerNode) {
	parent, known := j.index[n.record.Prev]
	n.parents, n.orphan, n.grounded = nil, false, false
	switch {
	case n.repair:
		n.parents, n.grounded = j.known(n.keeps), true
	case n.record.Prev == j.head:
		n.grounded = true
	case known:
		n.parents, n.grounded = []int{parent}, j.nodes[parent].grounded
	default:
		n.orphan = true
	}
	j.index[n.record.Anchor()] = len(j.nodes)
	j.nodes = append(j.nodes, n)
}

// known returns the candidates that are named.
func (j *LedgerJudge) known(anchors []Anchor) []int {
	var nodes []int
	for _, a := range anchors {
		if i, ok := j.index[a]; ok {
			nodes = append(nodes, i)
		}
	}
	return nodes
}

// Settle proves the newest candidate that is signed and whose chain begins at
// the head or with a repair, and returns it together with all that it proves, in
// order. Candidates before it are noise then. Those after it stay candidates. A
// record whose body was too much to hold comes without it.
func (j *LedgerJudge) Settle() []LedgerRecord {
	newest := j.newest(func(n *ledgerNode) bool { return n.grounded })
	if newest < 0 {
		return nil
	}
	var records []LedgerRecord
	for i, proved := range j.proved(newest) {
		if proved {
			records = append(records, j.nodes[i].record)
		}
	}
	j.head = j.nodes[newest].record.Anchor()
	j.keep(newest + 1)
	return records
}

// newest returns the newest candidate of a sort that is signed, -1 if none is.
func (j *LedgerJudge) newest(sort func(*ledgerNode) bool) int {
	for i := len(j.nodes) - 1; i >= 0; i-- {
		if n := &j.nodes[i]; sort(n) && j.signed(n) {
			return i
		}
	}
	return -1
}

// proved tells for each candidate up to the newest whether it is proved: by one
// that follows it, or, before a repair, by its own signature.
func (j *LedgerJudge) proved(newest int) []bool {
	proved := make([]bool, newest+1)
	proved[newest] = true
	repaired := false
	for i := newest; i >= 0; i-- {
		n := &j.nodes[i]
		if !proved[i] && repaired {
			proved[i] = j.signed(n)
		}
		if !proved[i] {
			continue
		}
		repaired = repaired || n.repair
		for _, p := range n.parents {
			proved[p] = true
		}
	}
	return proved
}

// keep drops the candidates before one.
func (j *LedgerJudge) keep(from int) {
	rest := slices.Clone(j.nodes[from:])
	j.nodes, j.held = nil, 0
	clear(j.index)
	for _, n := range rest {
		j.held += len(n.record.Body)
		j.add(n)
	}
	passed, _ := slices.BinarySearch(j.unreadable, j.head.Sequence)
	j.unreadable = j.unreadable[passed:]
}

// signed verifies one candidate, and counts when it fails. With the same keys it
// is not verified twice.
func (j *LedgerJudge) signed(n *ledgerNode) bool {
	version := j.keys.Note().Version + 1
	if n.failed == version {
		return false
	}
	if j.keys.verifyRecordUnder(j.noted, j.stream, n.record.Anchor(), n.record.Signature) == nil {
		return true
	}
	n.failed = version
	return false
}

// Obstacle returns what keeps the journal from going on behind its head, nil if
// nothing does: a signed record after one that is missing ([ErrGap]), one of
// another history ([ErrDifferentHistory]), one that cannot be decoded
// ([ErrUnreadable]), or that no key that counts signed anything
// ([ErrRetiredKey]). Call it when everything was offered and settled.
func (j *LedgerJudge) Obstacle() error {
	first := j.orphan()
	if len(j.unreadable) > 0 && (first < 0 || j.unreadable[0] < j.nodes[first].record.Sequence) {
		return fmt.Errorf("record %d is signed and was written by a newer version of this program: %w", j.unreadable[0], ErrUnreadable)
	}
	if first < 0 {
		return j.retired()
	}
	r := j.nodes[first].record
	if r.Prev.Sequence > j.head.Sequence {
		return fmt.Errorf("record %d follows record %s, which is missing: %w", r.Sequence, r.Prev, ErrGap)
	}
	return fmt.Errorf("record %d follows record %s, and record %s is the last here: %w", r.Sequence, r.Prev, j.head, ErrDifferentHistory)
}

// retired returns [ErrRetiredKey] when there is no record but those that keys
// of former keys notes signed. Behind a head, they are noise.
func (j *LedgerJudge) retired() error {
	if n := j.newestRetired(); n >= 0 {
		return fmt.Errorf("record %d: %w", j.nodes[n].record.Sequence, ErrRetiredKey)
	}
	return nil
}

func (j *LedgerJudge) newestRetired() int {
	if !j.head.IsZero() {
		return -1
	}
	for i, n := range slices.Backward(j.nodes) {
		r := n.record
		text := recordText(j.keys.Installation(), j.stream, r.Anchor())
		if n.grounded && j.keys.verifyPast(text, r.Signature) == nil {
			return i
		}
	}
	return -1
}

// orphan returns the first candidate with an unknown past that is signed, or
// proved by one that is; -1 if there is none.
func (j *LedgerJudge) orphan() int {
	first := -1
	proved := make([]bool, len(j.nodes))
	for i := len(j.nodes) - 1; i >= 0; i-- {
		n := &j.nodes[i]
		if n.grounded || !proved[i] && !j.signed(n) {
			continue
		}
		if n.orphan {
			first = i
		}
		for _, p := range n.parents {
			proved[p] = true
		}
	}
	return first
}

// Ends returns the head, and the newest records of the signed chains that do not
// continue it, in ascending order: what a repair keeps.
func (j *LedgerJudge) Ends() []Anchor {
	ends, _ := j.chains()
	return ends
}

// Keeps reports whether a record is one that continues to be valid when a repair
// names [LedgerJudge.Ends], as far as it was not settled before.
func (j *LedgerJudge) Keeps(a Anchor) bool {
	i, known := j.index[a]
	if !known {
		return false
	}
	ends, proved := j.chains()
	return proved[i] || slices.Contains(ends, a)
}

// chains returns what Ends does, and for each candidate whether another one proves
// it.
func (j *LedgerJudge) chains() (ends []Anchor, proved []bool) {
	proved = make([]bool, len(j.nodes))
	for i := len(j.nodes) - 1; i >= 0; i-- {
		n := &j.nodes[i]
		if n.grounded || !proved[i] && !j.signed(n) {
			continue
		}
		if !proved[i] {
			ends = append(ends, n.record.Anchor())
		}
		for _, p := range n.parents {
			proved[p] = true
		}
	}
	if n := j.newestRetired(); n >= 0 {
		ends = append(ends, j.nodes[n].record.Anchor())
	}
	if !j.head.IsZero() {
		ends = append(ends, j.head)
	}
	slices.Reverse(ends)
	return ends, proved
}

// Unread returns the sequences behind the head of records that a newer publisher
// signed.
func (j *LedgerJudge) Unread() []uint64 { return slices.Clone(j.unreadable) }

// VerifyPastRecord is [Keyring.VerifyRecord] with the keys of all keys notes that
// were adopted, older ones too. It is for showing the past.
func (k *Keyring) VerifyPastRecord(stream string, a Anchor, s Signature) error {
	return k.verifyPast(recordText(k.trust.installation, stream, a), s)
}
