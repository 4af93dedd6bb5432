package backup

import (
	"bufio"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/go-json-experiment/json"
	"github.com/klauspost/compress/zstd"
)

// File is a backup that was read to its end once, and is whole. It is safe for concurrent use.
type File struct {
	Header Header
	// Keys are the files of a directory of keys, by name; nil if the backup has none.
	Keys map[string][]byte
	// Sum is the SHA-256 of the whole file, as sha256sum prints it. It tells backups apart.
	Sum [sha256.Size]byte
	// Messages counts the messages by stream, in the order of the header.
	Messages []int

	from  io.ReaderAt
	parts [][]place // of messages, by stream
}

// place is where a part is in the file, from its length to its checksum.
type place struct {
	offset int64
	length int
	before uint64 // sequence of the last message of the stream before it
}

// Open reads a backup to its end and verifies that it is whole. The error is a *[DamagedError] that names the place, or tells why the file
// cannot be read. Nothing is proved by that. The file stays open as long as messages are read.
func Open(from io.ReaderAt) (*File, error) {
	o := &opening{file: &File{from: from}, sum: sha256.New(), at: newPosition(nil)}
	o.in = bufio.NewReaderSize(io.NewSectionReader(from, 0, 1<<62), partBytes)
	if err := o.run(); err != nil {
		return nil, err
	}
	return o.file, nil
}

// opening is the first reading of a backup.
type opening struct {
	file   *File
	in     *bufio.Reader
	sum    hash.Hash
	offset int64
	at     position
}

func (o *opening) damaged(err error) error {
	if _, ok := errors.AsType[*DamagedError](err); ok {
		return err
	}
	return &DamagedError{Offset: o.offset, Stream: o.at.name(), Sequence: o.at.sequence, Reason: err.Error()}
}

func (o *opening) run() error {
	begin := make([]byte, len(magic))
	if err := o.read(begin); err != nil {
		return o.damaged(err)
	}
	if string(begin) != magic {
		return o.damaged(errors.New("it is no backup of flagside in a format that is known here"))
	}
	o.sum.Write(begin)
	o.offset = int64(len(magic))
	for first := true; ; first = false {
		part, last, err := o.next()
		if err == nil && last {
			err = o.finish(first)
		}
		if err != nil {
			return o.damaged(err)
		}
		if last {
			return nil
		}
		if err := o.take(part, first); err != nil {
			return o.damaged(err)
		}
		o.offset += int64(len(part))
	}
}

// read fills data from the file.
func (o *opening) read(data []byte) error {
	_, err := io.ReadFull(o.in, data)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the file ends here: something was cut off")
	}
	return err
}

// next reads one part with its length and its checksum; of the last there is no more than its length.
func (o *opening) next() (part []byte, last bool, err error) {
	var length [4]byte
	if err := o.read(length[:]); err != nil {
		return nil, false, err
	}
	n := binary.BigEndian.Uint32(length[:])
	if n == 0 {
		return nil, true, nil
	}
	if n > maxPart {
		return nil, false, fmt.Errorf("a part of %d bytes, at most %d are allowed", n, maxPart)
	}
	part, err = readAll(o.in, length[:], int(n)+sha256.Size)
	if err != nil {
		return nil, false, err
	}
	if err := verifyPart(part); err != nil {
		return nil, false, err
	}
	o.sum.Write(part)
	return part, false, nil
}

// readAll reads n bytes behind what was read before. It takes memory as they come: the number proves nothing yet.
func readAll(in io.Reader, before []byte, n int) ([]byte, error) {
	const step = 1 << 20
	data := append(make([]byte, 0, len(before)+min(n, step)), before...)
	for n > 0 {
		size := min(n, step)
		begin := len(data)
		data = append(data, make([]byte, size)...)
		if _, err := io.ReadFull(in, data[begin:]); err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				err = errors.New("the file ends within this part: something was cut off")
			}
			return nil, err
		}
		n -= size
	}
	return data, nil
}

func verifyPart(part []byte) error {
	content := part[:len(part)-sha256.Size]
	if sum := sha256.Sum256(content); subtle.ConstantTimeCompare(sum[:], part[len(content):]) != 1 {
		return errors.New("its checksum does not match")
	}
	return nil
}

// unpack returns the kind and the content of a part.
func unpack(part []byte) (kind byte, content []byte, err error) {
	packed := part[4 : len(part)-sha256.Size]
	zip, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxPart))
	if err != nil {
		return 0, nil, err
	}
	defer zip.Close()
	content, err = zip.DecodeAll(packed[1:], nil)
	if err != nil {
		return 0, nil, fmt.Errorf("%w: %w", errPart, err)
	}
	return packed[0], content, nil
}

// take reads the content of a part.
func (o *opening) take(part []byte, first bool) error {
	kind, content, err := unpack(part)
	switch {
	case err != nil:
		return err
	case first != (kind == kindHeader):
		return errors.New("the header is missing, or comes twice")
	case kind == kindHeader:
		return o.takeHeader(content)
	case kind == kindKeys && o.at.current < 0 && o.file.Header.Keys && o.file.Keys == nil:
		return json.Unmarshal(content, &o.file.Keys)
	case kind == kindMessages:
		return o.takeMessages(content, len(part))
	}
	return fmt.Errorf("a part of kind %q is not expected here", kind)
}

func (o *opening) takeHeader(content []byte) error {
	if len(content) > maxHeader {
		return fmt.Errorf("a header of %d bytes, at most %d are allowed", len(content), maxHeader)
	}
	h := &o.file.Header
	if err := json.Unmarshal(content, h); err != nil {
		return fmt.Errorf("the header cannot be read: %w", err)
	}
	if err := h.validate(); err != nil {
		return err
	}
	o.at, o.file.parts, o.file.Messages = newPosition(h.Streams), make([][]place, len(h.Streams)), make([]int, len(h.Streams))
	return nil
}

func (o *opening) takeMessages(content []byte, length int) error {
	c := cursor{rest: content}
	stream := c.number()
	if c.err != nil {
		return c.err
	}
	if err := o.at.enter(stream); err != nil {
		return err
	}
	config, err := settings(o.at.name(), 1)
	if err != nil {
		return err
	}
	prefix := subjectPrefix(config)
	o.file.parts[stream] = append(o.file.parts[stream], place{o.offset, length, o.at.sequence})
	for len(c.rest) > 0 {
		m := c.message()
		if c.err != nil {
			return c.err
		}
		if err := o.at.take(m.Sequence); err != nil {
			return err
		}
		if err := verifySubject(o.at.name(), prefix, m.Subject); err != nil {
			return err
		}
		o.file.Messages[stream]++
	}
	return nil
}

// finish reads the checksum of everything, behind which there is nothing.
func (o *opening) finish(first bool) error {
	if first {
		return errors.New("there is no header")
	}
	if err := o.at.finish(); err != nil {
		return err
	}
	if o.file.Header.Keys && o.file.Keys == nil {
		return errors.New("the header announces keys, and there are none")
	}
	var want [sha256.Size]byte
	if err := o.read(want[:]); err != nil {
		return err
	}
	if got := o.sum.Sum(nil); subtle.ConstantTimeCompare(got, want[:]) != 1 {
		return errors.New("the checksum of the whole does not match")
	}
	o.sum.Write(append(make([]byte, 4), want[:]...))
	o.sum.Sum(o.file.Sum[:0])
	if _, err := o.in.ReadByte(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the end")
	}
	return nil
}

// All returns the messages of the stream with a number in the header. It ends with the first error.
func (f *File) All(stream int) Sequence {
	return func(yield func(Message, error) bool) {
		for _, p := range f.parts[stream] {
			content, err := f.read(p)
			if err != nil {
				yield(Message{}, &DamagedError{Offset: p.offset, Stream: f.Header.Streams[stream].Name, Sequence: p.before, Reason: err.Error()})
				return
			}
			c := cursor{rest: content}
			c.number()
			for len(c.rest) > 0 {
				m := c.message()
				if !yield(m, c.err) || c.err != nil {
					return
				}
			}
		}
	}
}

// read reads a part again, which may have changed since.
func (f *File) read(p place) ([]byte, error) {
	part := make([]byte, p.length)
	if _, err := f.from.ReadAt(part, p.offset); err != nil {
		return nil, fmt.Errorf("it was there and cannot be read any more: %w", err)
	}
	if err := verifyPart(part); err != nil {
		return nil, err
	}
	_, content, err := unpack(part)
	return content, err
}

// Stream returns the number of a stream in the header, if it is there.
func (f *File) Stream(name string) (number int, ok bool) {
	for i, s := range f.Header.Streams {
		if s.Name == name {
			return i, true
		}
	}
	return 0, false
}
