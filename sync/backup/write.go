package backup

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"io"

	"github.com/go-json-experiment/json"
	"github.com/klauspost/compress/zstd"
)

// Writer writes a backup in bounded memory. It is not safe for concurrent use.
type Writer struct {
	out  io.Writer
	sum  hash.Hash // of everything that was written
	zip  *zstd.Encoder
	at   position
	part []byte // of the current stream, without its number
	keys bool   // are to be written next
}

// NewWriter writes the header of a backup. The caller then writes the keys, if the header says that there are any, and all messages of the
// streams in the order of the header, and calls Close.
func NewWriter(out io.Writer, h Header) (*Writer, error) {
	h.Version = formatVersion
	if err := h.validate(); err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	zip, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(partBytes))
	if err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	w := &Writer{sum: sha256.New(), zip: zip, at: newPosition(h.Streams), keys: h.Keys}
	w.out = io.MultiWriter(out, w.sum)
	if _, err := io.WriteString(w.out, magic); err != nil {
		return nil, err
	}
	text, err := json.Marshal(h)
	if err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	return w, w.write(kindHeader, text)
}

// WriteKeys adds the files of a directory of keys, by name.
func (w *Writer) WriteKeys(files map[string][]byte) error {
	if !w.keys {
		return fmt.Errorf("backup: the header does not announce keys")
	}
	w.keys = false
	text, err := json.Marshal(files, json.Deterministic(true))
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	return w.write(kindKeys, text)
}

// Write adds a message of the stream with a number in the header, the first is 0.
func (w *Writer) Write(stream int, m Message) error {
	if stream != w.at.current {
		if err := w.flush(); err != nil {
			return err
		}
		if err := w.at.enter(uint64(stream)); err != nil {
			return fmt.Errorf("backup: %w", err)
		}
	}
	if err := w.at.take(m.Sequence); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	if w.part == nil {
		w.part = binary.AppendUvarint(make([]byte, 0, partBytes), uint64(stream))
	}
	if w.part = appendMessage(w.part, m); len(w.part) < partBytes {
		return nil
	}
	return w.flush()
}

// flush writes what is held of the current stream.
func (w *Writer) flush() error {
	if w.part == nil {
		return nil
	}
	part := w.part
	w.part = nil
	return w.write(kindMessages, part)
}

// Close completes the backup. It leaves what was written to open.
func (w *Writer) Close() error {
	if err := w.flush(); err != nil {
		return err
	}
	if err := w.at.finish(); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	sum := w.sum.Sum(nil)
	_, err := w.out.Write(append(make([]byte, 4), sum...))
	return err
}

// write writes one part.
func (w *Writer) write(kind byte, content []byte) error {
	if len(content) > maxPart {
		return fmt.Errorf("backup: a part of %d bytes, at most %d are allowed", len(content), maxPart)
	}
	part := w.zip.EncodeAll(content, append(make([]byte, 4, 4+len(content)/2), kind))
	binary.BigEndian.PutUint32(part, uint32(len(part)-4)) // #nosec G115 -- bounded above
	sum := sha256.Sum256(part)
	_, err := io.Copy(w.out, io.MultiReader(bytes.NewReader(part), bytes.NewReader(sum[:])))
	return err
}
