package changelog

import (
	"bytes"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	epochA = Epoch("00112233445566778899aabbccddeeff")
	epochB = Epoch("ffeeddccbbaa99887766554433221100")
)

// wholeBytes compares slices at once: byte by byte is slow for large documents.
func wholeBytes() cmp.Option { return cmp.Comparer(bytes.Equal) }

// log makes records that follow each other.
type log struct {
	head Position
}

func newLog(tb testing.TB) *log {
	tb.Helper()
	l := &log{head: Position{Epoch: epochA}}
	l.beginEpoch(tb, epochA)
	return l
}

func (l *log) beginEpoch(tb testing.TB, epoch Epoch) Record {
	tb.Helper()
	l.head.Epoch = epoch
	return l.append(tb, Entry{OpID: "epoch", Kind: KindEpoch, Key: EpochKey, Index: 1, Count: 1})
}

// put appends number index of count of an op.
func (l *log) put(tb testing.TB, op string, index, count int) Record {
	tb.Helper()
	body := []byte(`{"n":` + strconv.FormatUint(l.head.Revision, 10) + `}`)
	return l.append(tb, Entry{OpID: op, Kind: KindFlag, Key: "key-" + strconv.Itoa(index), Index: index, Count: count, Put: body})
}

func (l *log) append(tb testing.TB, e Entry) Record {
	tb.Helper()
	e.Epoch, e.Prev, e.Time = l.head.Epoch, l.head.Digest, time.Unix(0, 0).UTC()
	data, err := e.Encode()
	if err != nil {
		tb.Fatal(err)
	}
	r, err := DecodeRecord(l.head.Revision+1, data)
	if err != nil {
		tb.Fatal(err)
	}
	l.head = r.Position()
	return r
}
