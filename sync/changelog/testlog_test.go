package changelog

import (
	"bytes"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/document"
)

// epochB is later than epochA.
const (
	epochA = Epoch("00112233445566778899aabbccddeeff")
	epochB = Epoch("ffeeddccbbaa99887766554433221100")
)

const prod = "prod"

// wholeBytes compares slices at once: byte by byte is slow for large documents.
func wholeBytes() cmp.Option { return cmp.Comparer(bytes.Equal) }

// log makes records that follow each other, as a publisher signs them.
type log struct {
	environment string
	signer      *Signer
	head        Position
	next        uint64    // revision of the next entry; 0 is the one after the head
	messages    []Message // what was appended
}

func emptyLog(tb testing.TB) *log {
	tb.Helper()
	return &log{environment: prod, signer: keysA().signing[0].signer(tb), head: Position{Epoch: epochA}}
}

func newLog(tb testing.TB) *log {
	tb.Helper()
	l := emptyLog(tb)
	l.beginEpoch(tb, epochA)
	return l
}

// beginEpoch begins the log, or renews the state with an epoch that one entry more
// makes whole.
func (l *log) beginEpoch(tb testing.TB, epoch Epoch) Record {
	tb.Helper()
	e := Entry{OpID: "epoch", Kind: document.KindEpoch, Key: document.EpochKey, Index: 1, Count: 1}
	if !l.head.IsZero() {
		e.Complete, e.Leaves = 1, l.head
	}
	l.head.Epoch = epoch
	return l.append(tb, e)
}

// put appends number index of count of an op.
func (l *log) put(tb testing.TB, op string, index, count int) Record {
	tb.Helper()
	body := []byte(`{"n":` + strconv.FormatUint(l.head.Revision, 10) + `}`)
	return l.append(tb, Entry{OpID: op, Kind: document.KindFlag, Key: "key-" + strconv.Itoa(index), Index: index, Count: count, Put: body})
}

func (l *log) append(tb testing.TB, e Entry) Record {
	tb.Helper()
	r, m := l.prepare(tb, e)
	l.head, l.next = r.Position(), 0
	l.messages = append(l.messages, m)
	return r
}

// prepare signs the entry that would come next.
func (l *log) prepare(tb testing.TB, e Entry) (Record, Message) {
	tb.Helper()
	e.Environment, e.Epoch, e.Prev, e.Time = l.environment, l.head.Epoch, l.head.Link(), time.Unix(0, 0).UTC()
	e.Revision = max(l.next, l.head.Revision+1)
	if e.Index == e.Count && e.State.IsZero() {
		e.State = Sum([]byte(e.OpID))
	}
	return signEntry(tb, l.signer, e)
}

// signEntry returns an entry as a log holds it.
func signEntry(tb testing.TB, s *Signer, e Entry) (Record, Message) {
	tb.Helper()
	data, err := e.Encode()
	if err != nil {
		tb.Fatal(err)
	}
	r, err := DecodeRecord(e.Revision, data)
	if err != nil {
		tb.Fatal(err)
	}
	head, err := s.SignHead(e.Environment, r.Head())
	if err != nil {
		tb.Fatal(err)
	}
	r.Signature = head.Signature
	return r, Message{Revision: e.Revision, Subject: Subject(e.ID()), Proof: head.ProofText(), Data: data}
}
