package changelog

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/klauspost/compress/zstd"

	"github.com/flagside/flagside/document"
)

// A snapshot is, in this order:
//
//	the line "flagside snapshot 2"
//	a line of JSON: the Header
//	one zstd frame: a line of JSON for each document, in any order
//	32 bytes: SHA-256 of everything before
const (
	snapshotMagic = "flagside snapshot 2\n"
	maxHeader     = 64 * 1024
	maxLine       = 2*document.MaxSize + 8*document.MaxKey
	windowSize    = 1 << 20
	lineBuffer    = 64 * 1024 // what is decompressed at once
)

// Errors of reading a snapshot.
var (
	ErrSnapshotFormat   = errors.New("not a snapshot of a known format")
	ErrSnapshotChecksum = errors.New("the snapshot is damaged: its checksum does not match")
	// ErrUnproved means that a snapshot is whole, but not proved to be a state that
	// a publisher of this installation signed.
	ErrUnproved = errors.New("the snapshot is not proved by this installation")
)

// Header says what a snapshot holds, and what proves it.
type Header struct {
	Environment string `json:"environment"`
	Head        Head   `json:"head"`
	Count       int    `json:"count"`          // of documents
	Keys        string `json:"keys,omitempty"` // the keys note, by which a reader knows who signed
}

func (h Header) validate() error {
	if h.Environment == "" {
		return fmt.Errorf("%w: the header names no environment", ErrSnapshotFormat)
	}
	if err := h.Head.Epoch.Validate(); err != nil {
		return fmt.Errorf("%w: %w", ErrSnapshotFormat, err)
	}
	if h.Head.Revision == 0 || h.Count < 0 {
		return fmt.Errorf("%w: revision %d, %d documents", ErrSnapshotFormat, h.Head.Revision, h.Count)
	}
	return nil
}

type wireDocument struct {
	Kind     document.Kind  `json:"kind"`
	Key      string         `json:"key"`
	Revision uint64         `json:"revision"`
	Body     jsontext.Value `json:"body"`
}

// SnapshotWriter writes a snapshot document by document, in bounded memory. It
// is not safe for concurrent use.
type SnapshotWriter struct {
	out    io.Writer
	sum    hash.Hash
	zip    *zstd.Encoder
	header Header
	count  int
	state  *StateEdit
}

// NewSnapshotWriter writes the header to w. The caller writes exactly
// h.Count documents and then calls Close, and keeps w open until after that.
func NewSnapshotWriter(w io.Writer, h Header) (*SnapshotWriter, error) {
	if err := h.validate(); err != nil {
		return nil, err
	}
	line, err := json.Marshal(h)
	if err != nil {
		return nil, fmt.Errorf("snapshot header: %w", err)
	}
	s := &SnapshotWriter{out: w, sum: sha256.New(), header: h, state: State{}.Edit()}
	hashed := io.MultiWriter(w, s.sum)
	if _, err := fmt.Fprintf(hashed, "%s%s\n", snapshotMagic, line); err != nil {
		return nil, fmt.Errorf("snapshot header: %w", err)
	}
	s.zip, err = zstd.NewWriter(hashed, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(windowSize))
	if err != nil {
		return nil, fmt.Errorf("snapshot: %w", err)
	}
	return s, nil
}

// Write adds one document. It refuses what [SnapshotReader.Next] would.
func (s *SnapshotWriter) Write(d document.Document) error {
	if err := d.Validate(); err != nil {
		return fmt.Errorf("snapshot: %s: %w", d.ID(), err)
	}
	line, err := json.Marshal(wireDocument{Kind: d.Kind, Key: d.Key, Revision: d.Revision, Body: d.Body}, jsontext.PreserveRawStrings(true))
	if err != nil {
		return fmt.Errorf("snapshot: %s: %w", d.ID(), err)
	}
	if _, err := s.zip.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	s.count++
	s.state.Add(d)
	return nil
}

// Close completes the snapshot. It fails when the documents written are not
// those that the header announced: their number or their state digest differs.
func (s *SnapshotWriter) Close() error {
	if err := s.zip.Close(); err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	if err := s.header.verify(s.count, s.state.State().Digest()); err != nil {
		return err
	}
	if _, err := s.out.Write(s.sum.Sum(nil)); err != nil {
		return fmt.Errorf("snapshot checksum: %w", err)
	}
	return nil
}

func (h Header) verify(count int, state Digest) error {
	if count != h.Count {
		return fmt.Errorf("snapshot: %d documents, the header announces %d", count, h.Count)
	}
	if state != h.Head.State {
		return fmt.Errorf("snapshot: the documents have state digest %s, the header announces %s", state, h.Head.State)
	}
	return nil
}

// SnapshotReader reads a snapshot document by document, in bounded memory. What
// it returns is not to be believed before [SnapshotReader.Next] has returned
// io.EOF: only then are checksum, state and signature verified. It is not safe
// for concurrent use.
type SnapshotReader struct {
	header Header
	body   *trailingReader
	hashed *bufio.Reader // reads body, summing
	sum    hash.Hash
	zip    *zstd.Decoder
	lines  *bufio.Scanner
	slab   []byte // what is left of it is for the next bodies
	count  int
	state  *StateEdit
	hashes State // of all documents, at the end
}

// NewSnapshotReader reads the header and takes its keys note over. It fails with
// [ErrUnproved] when keys do not prove the header. The caller calls Close when
// done; r is the caller's to close.
func NewSnapshotReader(r io.Reader, keys *Keyring) (*SnapshotReader, error) {
	s, err := newSnapshotReader(r)
	if err != nil {
		return nil, err
	}
	if s.header.Keys != "" {
		if err := keys.Adopt(s.header.Keys); err != nil {
			s.Close()
			return nil, fmt.Errorf("%w: %w", ErrUnproved, err)
		}
	}
	if err := keys.VerifyHead(s.header.Environment, s.header.Head); err != nil {
		s.Close()
		return nil, fmt.Errorf("%w: revision %d: %w", ErrUnproved, s.header.Head.Revision, err)
	}
	return s, nil
}

// NewUnprovedSnapshotReader is NewSnapshotReader for a snapshot whose header the
// caller proves.
func NewUnprovedSnapshotReader(r io.Reader) (*SnapshotReader, error) { return newSnapshotReader(r) }

func newSnapshotReader(r io.Reader) (*SnapshotReader, error) {
	s := &SnapshotReader{sum: sha256.New(), state: State{}.Edit()}
	s.body = &trailingReader{in: bufio.NewReader(r), keep: sha256.Size}
	s.hashed = bufio.NewReader(io.TeeReader(s.body, s.sum))
	if err := s.readHeader(s.hashed); err != nil {
		return nil, err
	}
	zip, err := zstd.NewReader(s.hashed, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(windowSize))
	if err != nil {
		return nil, fmt.Errorf("snapshot: %w", err)
	}
	s.zip = zip
	s.lines = bufio.NewScanner(zip)
	s.lines.Buffer(make([]byte, 0, lineBuffer), maxLine)
	return s, nil
}

func (s *SnapshotReader) readHeader(in *bufio.Reader) error {
	magic := make([]byte, len(snapshotMagic))
	if _, err := io.ReadFull(in, magic); err != nil || string(magic) != snapshotMagic {
		return fmt.Errorf("%w: it begins with %q", ErrSnapshotFormat, magic)
	}
	line, err := readLine(in, maxHeader)
	if err != nil {
		return fmt.Errorf("%w: header: %w", ErrSnapshotFormat, err)
	}
	if err := json.Unmarshal(line, &s.header, json.RejectUnknownMembers(true)); err != nil {
		return fmt.Errorf("%w: header: %w", ErrSnapshotFormat, err)
	}
	return s.header.validate()
}

// readLine reads up to the end of a line, which has at most limit bytes.
func readLine(in *bufio.Reader, limit int) ([]byte, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		if len(line)+len(part) > limit {
			return nil, fmt.Errorf("a line of more than %d bytes", limit)
		}
		line = append(line, part...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
}

// IsSnapshot reports whether data begins like a snapshot of any version.
func IsSnapshot(data []byte) bool {
	return bytes.HasPrefix(data, []byte("flagside snapshot "))
}

// Header returns what the snapshot says it holds.
func (s *SnapshotReader) Header() Header { return s.header }

// Next returns the next document. At the end it verifies count, state digest
// and checksum, and returns io.EOF if all of them hold.
func (s *SnapshotReader) Next() (document.Document, error) {
	if !s.lines.Scan() {
		return document.Document{}, s.finish()
	}
	d, err := s.decode(s.lines.Bytes())
	if err != nil {
		return document.Document{}, fmt.Errorf("snapshot: document %d: %w", s.count+1, err)
	}
	if err := d.Validate(); err != nil {
		return document.Document{}, fmt.Errorf("snapshot: document %d: %w", s.count+1, err)
	}
	if s.count == s.header.Count {
		return document.Document{}, fmt.Errorf("snapshot: more documents than the %d that the header announces", s.count)
	}
	s.count++
	s.state.Add(d)
	return d, nil
}

// decode decodes a line. One of the form that [SnapshotWriter] writes is not parsed: what stands in the place of the body counts for the state
// digest, and no publisher signs a state that has anything but JSON there.
func (s *SnapshotReader) decode(line []byte) (document.Document, error) {
	if d, ok := s.decodeCanonical(line); ok {
		return d, nil
	}
	var w wireDocument
	if err := json.Unmarshal(line, &w, json.RejectUnknownMembers(true)); err != nil {
		return document.Document{}, err
	}
	return document.Document{Kind: w.Kind, Key: w.Key, Revision: w.Revision, Body: w.Body}, nil
}

func (s *SnapshotReader) decodeCanonical(line []byte) (d document.Document, ok bool) {
	in := scanner{rest: line}
	d.Kind = kind(in.text(`{"kind":`))
	d.Key = string(in.text(`,"key":`))
	d.Revision = in.number(`,"revision":`)
	in.skip(`,"body":`)
	body, ok := bytes.CutSuffix(in.rest, []byte("}"))
	if in.broken || !ok || len(bytes.TrimSpace(body)) < len(body) {
		return document.Document{}, false
	}
	d.Body = s.keep(body)
	return d, true
}

// slabSize is how much memory is taken at once for bodies. It is given back once none of the documents in it is needed any more.
const slabSize = 16 << 10

// keep returns a copy of a body, which shares memory with others unless it is large.
func (s *SnapshotReader) keep(body []byte) []byte {
	if len(body) > slabSize/8 {
		return bytes.Clone(body)
	}
	if len(body) > cap(s.slab)-len(s.slab) {
		s.slab = make([]byte, 0, slabSize)
	}
	begin := len(s.slab)
	s.slab = append(s.slab, body...)
	return s.slab[begin:len(s.slab):len(s.slab)]
}

func (s *SnapshotReader) finish() error {
	if err := s.lines.Err(); err != nil {
		return fmt.Errorf("snapshot: after document %d: %w", s.count, err)
	}
	if _, err := io.Copy(io.Discard, s.hashed); err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	if !bytes.Equal(s.body.trailer(), s.sum.Sum(nil)) {
		return ErrSnapshotChecksum
	}
	s.hashes = s.state.State()
	if err := s.header.verify(s.count, s.hashes.Digest()); err != nil {
		return err
	}
	return io.EOF
}

// State returns the state of all documents. Call it after Next has returned io.EOF.
func (s *SnapshotReader) State() State { return s.hashes }

// Close frees what decompression holds.
func (s *SnapshotReader) Close() { s.zip.Close() }

// trailingReader passes on all but the last keep bytes of in, so that a
// checksum at the end can be told from what it sums without knowing the length.
type trailingReader struct {
	in   *bufio.Reader
	keep int
}

func (t *trailingReader) Read(p []byte) (int, error) {
	ahead, err := t.in.Peek(min(t.keep+max(len(p), 1), t.in.Size()))
	n := min(len(ahead)-t.keep, len(p))
	if n > 0 {
		return t.in.Read(p[:n])
	}
	if err == nil {
		return 0, io.ErrNoProgress
	}
	return 0, err
}

// trailer returns the bytes that were kept back. Call it after Read returned
// io.EOF.
func (t *trailingReader) trailer() []byte {
	rest, _ := t.in.Peek(t.keep)
	return rest
}
