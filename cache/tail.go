package cache

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/sync/changelog"
)

// A tail file is the line "flagside tail 2" and then frames. A frame is
//
//	4 bytes: length of the payload, big-endian
//	4 bytes: CRC-32C of the length
//	the payload, JSON
//	4 bytes: CRC-32C of the payload
//
// The length has a checksum of its own, so that a damaged one is not mistaken
// for a frame that was cut off. The first payload is a tailHeader, the others
// are tailRecords, each naming the digest of the position that it continues.
const (
	tailMagic    = "flagside tail 2\n"
	frameHead    = 8
	frameTrailer = 4
)

var (
	errTailFormat = errors.New("not a tail of a known format")
	errTailDamage = errors.New("damaged")
	errTailTorn   = errors.New("cut off")
)

// tailHeader says what a tail continues.
type tailHeader struct {
	Environment string             `json:"environment"`
	Position    changelog.Position `json:"position"`
}

// tailRecord is one change.
type tailRecord struct {
	After     changelog.Digest `json:"after"` // of the position before
	Head      changelog.Head   `json:"head"`
	Documents []tailDocument   `json:"documents"`
}

type tailDocument struct {
	Kind     document.Kind  `json:"kind"`
	Key      string         `json:"key"`
	Revision uint64         `json:"revision"`
	Body     jsontext.Value `json:"body,omitzero"` // absent: deleted
}

func tailDocumentOf(d document.Document) tailDocument {
	return tailDocument{Kind: d.Kind, Key: d.Key, Revision: d.Revision, Body: d.Body}
}

func (d tailDocument) document() document.Document {
	return document.Document{Kind: d.Kind, Key: d.Key, Revision: d.Revision, Body: d.Body}
}

// encodeTailHeader returns the beginning of a tail file.
func encodeTailHeader(environment string, p changelog.Position) ([]byte, error) {
	return appendFrame([]byte(tailMagic), tailHeader{Environment: environment, Position: p})
}

// appendTailRecords appends changes that follow a position.
func appendTailRecords(data []byte, after changelog.Position, changes []change) ([]byte, error) {
	for _, c := range changes {
		record := tailRecord{After: after.Digest, Head: c.head, Documents: make([]tailDocument, len(c.documents))}
		for i, d := range c.documents {
			record.Documents[i] = tailDocumentOf(d)
		}
		var err error
		if data, err = appendFrame(data, record); err != nil {
			return nil, err
		}
		after = c.head.Position
	}
	return data, nil
}

func appendFrame(data []byte, payload any) ([]byte, error) {
	encoded, err := json.Marshal(payload, jsontext.PreserveRawStrings(true))
	if err != nil {
		return nil, fmt.Errorf("tail record: %w", err)
	}
	length := binary.BigEndian.AppendUint32(nil, uint32(len(encoded)))
	data = append(data, length...)
	data = binary.BigEndian.AppendUint32(data, checksum(length))
	data = append(data, encoded...)
	return binary.BigEndian.AppendUint32(data, checksum(encoded)), nil
}

func checksum(data []byte) uint32 {
	return crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli))
}

// tailReader decodes a tail file from memory.
type tailReader struct {
	header tailHeader
	data   []byte
	offset int                // of the first frame that was not read
	last   changelog.Position // after the frames that were read
}

func newTailReader(data []byte) (*tailReader, error) {
	if !bytes.HasPrefix(data, []byte(tailMagic)) {
		return nil, errTailFormat
	}
	t := &tailReader{data: data, offset: len(tailMagic)}
	if err := t.decode(&t.header); err != nil {
		return nil, fmt.Errorf("%w: header: %w", errTailFormat, err)
	}
	t.last = t.header.Position
	return t, nil
}

// more reports whether there is another frame, whole or not.
func (t *tailReader) more() bool { return t.offset < len(t.data) }

// next returns the next change. It returns errTailTorn when the file ends
// within it, another error when it cannot be believed; either ends the tail.
func (t *tailReader) next() (change, error) {
	var r tailRecord
	begin := t.offset
	if err := t.decode(&r); err != nil {
		return change{}, err
	}
	c, err := r.change(t.last)
	if err != nil {
		t.offset = begin
		return change{}, fmt.Errorf("%w: record at byte %d: %w", errTailDamage, begin, err)
	}
	t.last = r.Head.Position
	return c, nil
}

func (r tailRecord) change(after changelog.Position) (change, error) {
	if r.After != after.Digest || r.Head.Revision <= after.Revision {
		return change{}, fmt.Errorf("revision %d does not continue revision %d", r.Head.Revision, after.Revision)
	}
	c := change{head: r.Head, documents: make([]document.Document, len(r.Documents))}
	for i, d := range r.Documents {
		c.documents[i] = d.document()
		if err := c.documents[i].ID().Validate(); err != nil {
			return change{}, err
		}
	}
	return c, nil
}

// decode decodes the payload of the next frame and moves behind it.
func (t *tailReader) decode(payload any) error {
	rest := t.data[t.offset:]
	if len(rest) < frameHead {
		return errTailTorn
	}
	if checksum(rest[:4]) != binary.BigEndian.Uint32(rest[4:]) {
		return fmt.Errorf("%w: length at byte %d", errTailDamage, t.offset)
	}
	length := int(binary.BigEndian.Uint32(rest))
	rest = rest[frameHead:]
	if len(rest) < frameTrailer || len(rest)-frameTrailer < length {
		return errTailTorn
	}
	if checksum(rest[:length]) != binary.BigEndian.Uint32(rest[length:]) {
		return fmt.Errorf("%w: record at byte %d", errTailDamage, t.offset)
	}
	if err := json.Unmarshal(rest[:length], payload, json.RejectUnknownMembers(true)); err != nil {
		return fmt.Errorf("%w: record at byte %d: %w", errTailDamage, t.offset, err)
	}
	t.offset += frameHead + length + frameTrailer
	return nil
}
