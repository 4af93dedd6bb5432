package usage

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/klauspost/compress/zstd"

	"github.com/flagside/flagside/sync/usage"
)

// Format is the version of what is stored.
const Format = 1

// The limits of what is stored.
const (
	// MaxChunk is the size of one message.
	MaxChunk = 512 << 10
	// MaxChunks is how many one segment, place or last use may have.
	MaxChunks = 48
	// maxDecoded bounds what the chunks of one become in memory.
	maxDecoded = 64 << 20
)

// head precedes the bytes of a chunk: two of a mark, one of the format, one unused, the number of the chunk, how many there are, and the
// sequence that was covered when they were written, which is the same in all that belong together.
const head = 2 + 1 + 1 + 2 + 2 + 8

// ErrFormat is returned for what was stored by a later version.
var ErrFormat = errors.New("usage: stored in another format: update this publisher")

// errTorn is returned for chunks that do not belong together, because they were read while others were written.
var errTorn = errors.New("usage: chunks that do not belong together")

// IsTorn reports whether chunks were read while they were replaced: read them again.
func IsTorn(err error) bool { return errors.Is(err, errTorn) }

// Codec turns segments, places and last uses into chunks and back. Create it with NewCodec. It is safe for concurrent use.
type Codec struct {
	zip   *zstd.Encoder
	unzip *zstd.Decoder
}

// NewCodec returns a codec.
func NewCodec() (*Codec, error) {
	zip, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20))
	if err != nil {
		return nil, fmt.Errorf("usage: %w", err)
	}
	unzip, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxDecoded))
	if err != nil {
		return nil, fmt.Errorf("usage: %w", err)
	}
	return &Codec{zip: zip, unzip: unzip}, nil
}

// storedSegment is a segment as JSON.
type storedSegment struct {
	Series         []storedSeries   `json:"series,omitempty"`
	NotFound       []storedNotFound `json:"notFound,omitempty"`
	NotFoundOthers uint64           `json:"notFoundOthers,omitzero"`
	Lost           usage.Lost       `json:"lost,omitzero"`
}

type storedSeries struct {
	Series `json:",inline"`

	N uint64 `json:"n"`
}

type storedNotFound struct {
	NotFound `json:",inline"`

	N uint64 `json:"n"`
}

// storedLast is a Last as JSON.
type storedLast struct {
	Uses    []storedUse     `json:"uses,omitempty"`
	Clients []storedClients `json:"clients,omitempty"`
}

type storedUse struct {
	Use   `json:",inline"`
	Times `json:",inline"`
}

type storedClients struct {
	Clients `json:",inline"`

	At int64 `json:"t"`
}

// Segment returns the chunks of a segment. covered is the sequence that its place covers.
func (c *Codec) Segment(s *Segment, covered uint64) ([][]byte, error) {
	stored := storedSegment{NotFoundOthers: s.NotFoundOthers, Lost: s.Lost}
	for _, one := range slices.SortedFunc(maps.Keys(s.Series), CompareSeries) {
		stored.Series = append(stored.Series, storedSeries{one, s.Series[one]})
	}
	for _, one := range slices.SortedFunc(maps.Keys(s.NotFound), func(a, b NotFound) int {
		return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.Application, b.Application))
	}) {
		stored.NotFound = append(stored.NotFound, storedNotFound{one, s.NotFound[one]})
	}
	return c.encode(stored, covered)
}

// CompareSeries orders series by all that they are told apart by.
func CompareSeries(a, b Series) int {
	return cmp.Or(
		cmp.Compare(a.Flag, b.Flag), cmp.Compare(a.Variant, b.Variant), cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Code, b.Code),
		cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Application, b.Application), cmp.Compare(a.Release, b.Release), cmp.Compare(a.Revision, b.Revision),
		compareBool(a.Bulk, b.Bulk),
	)
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	default:
		return 1
	}
}

// ReadSegment returns the segment in chunks.
func (c *Codec) ReadSegment(chunks [][]byte) (*Segment, error) {
	var stored storedSegment
	if err := c.decode(chunks, &stored); err != nil {
		return nil, err
	}
	s := NewSegment()
	s.NotFoundOthers, s.Lost = stored.NotFoundOthers, stored.Lost
	for _, one := range stored.Series {
		s.put(one.Series, one.N)
	}
	for _, one := range stored.NotFound {
		s.putNotFound(one.NotFound, one.N)
	}
	return s, nil
}

// Last returns the chunks of last uses.
func (c *Codec) Last(l *Last, covered uint64) ([][]byte, error) {
	var stored storedLast
	for _, u := range slices.SortedFunc(maps.Keys(l.Uses), compareUses) {
		stored.Uses = append(stored.Uses, storedUse{u, l.Uses[u]})
	}
	for _, one := range slices.SortedFunc(maps.Keys(l.Clients), func(a, b Clients) int {
		return cmp.Or(cmp.Compare(a.Application, b.Application), cmp.Compare(a.Protocol, b.Protocol))
	}) {
		stored.Clients = append(stored.Clients, storedClients{one, l.Clients[one]})
	}
	return c.encode(stored, covered)
}

// ReadLast returns the last uses in chunks.
func (c *Codec) ReadLast(chunks [][]byte) (*Last, error) {
	var stored storedLast
	if err := c.decode(chunks, &stored); err != nil {
		return nil, err
	}
	l := NewLast()
	for _, one := range stored.Uses {
		l.put(one.Use, one.Times)
	}
	for _, one := range stored.Clients {
		l.Clients[one.Clients] = one.At
	}
	return l, nil
}

// Place returns the chunks of a place.
func (c *Codec) Place(p Place) ([][]byte, error) { return c.encode(p, p.Covered) }

// ReadPlace returns the place in chunks.
func (c *Codec) ReadPlace(chunks [][]byte) (Place, error) {
	var p Place
	if err := c.decode(chunks, &p); err != nil {
		return Place{}, err
	}
	return p, nil
}

func (c *Codec) encode(content any, covered uint64) ([][]byte, error) {
	text, err := json.Marshal(content, json.Deterministic(true))
	if err != nil {
		return nil, fmt.Errorf("usage: %w", err)
	}
	if len(text) > maxDecoded {
		return nil, fmt.Errorf("usage: %d bytes, at most %d are allowed", len(text), maxDecoded)
	}
	parts := slices.Collect(slices.Chunk(c.zip.EncodeAll(text, nil), MaxChunk-head))
	if len(parts) > MaxChunks {
		return nil, fmt.Errorf("usage: %d chunks, at most %d are allowed", len(parts), MaxChunks)
	}
	for i, part := range parts {
		chunk := make([]byte, 0, head+len(part))
		chunk = append(chunk, 'F', 'U', Format, 0)
		chunk = binary.BigEndian.AppendUint16(chunk, uint16(i))
		chunk = binary.BigEndian.AppendUint16(chunk, uint16(len(parts)))
		parts[i] = append(binary.BigEndian.AppendUint64(chunk, covered), part...)
	}
	return parts, nil
}

// Chunks returns how many chunks belong to the one that is given, which is the first.
func Chunks(first []byte) (int, error) {
	if err := checkHead(first); err != nil {
		return 0, err
	}
	n := int(binary.BigEndian.Uint16(first[6:]))
	if n == 0 || n > MaxChunks {
		return 0, fmt.Errorf("usage: %d chunks cannot be", n)
	}
	return n, nil
}

func checkHead(chunk []byte) error {
	switch {
	case len(chunk) < head || chunk[0] != 'F' || chunk[1] != 'U':
		return errors.New("usage: what is stored cannot be read")
	case chunk[2] != Format:
		return ErrFormat
	case len(chunk) > MaxChunk:
		return errors.New("usage: a chunk is too large")
	}
	return nil
}

func (c *Codec) decode(chunks [][]byte, content any) error {
	if len(chunks) == 0 {
		return errTorn
	}
	n, err := Chunks(chunks[0])
	if err != nil {
		return err
	}
	if n != len(chunks) {
		return errTorn
	}
	var zipped []byte
	for i, chunk := range chunks {
		if err := checkHead(chunk); err != nil {
			return err
		}
		if int(binary.BigEndian.Uint16(chunk[4:])) != i || string(chunk[6:head]) != string(chunks[0][6:head]) {
			return errTorn
		}
		zipped = append(zipped, chunk[head:]...)
	}
	text, err := c.unzip.DecodeAll(zipped, nil)
	if err != nil {
		return fmt.Errorf("usage: what is stored cannot be read: %w", err)
	}
	if err := json.Unmarshal(text, content); err != nil {
		return fmt.Errorf("usage: what is stored cannot be read: %w", err)
	}
	return nil
}
