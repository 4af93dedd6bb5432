package backup

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// appendMessage appends the binary form of a message.
func appendMessage(to []byte, m Message) []byte {
	to = binary.AppendUvarint(to, m.Sequence)
	stamp := int64(0)
	if !m.Time.IsZero() {
		stamp = m.Time.UnixNano()
	}
	to = binary.AppendVarint(to, stamp)
	to = appendText(to, m.Subject)
	to = binary.AppendUvarint(to, uint64(len(m.Headers)))
	for _, f := range m.Headers {
		to = appendText(appendText(to, f.Name), f.Value)
	}
	to = binary.AppendUvarint(to, uint64(len(m.Data)))
	return append(to, m.Data...)
}

func appendText(to []byte, s string) []byte {
	return append(binary.AppendUvarint(to, uint64(len(s))), s...)
}

// maxFields bounds how many headers a message may have.
const maxFields = 1 << 16

var errPart = errors.New("its content cannot be read")

// cursor reads the content of a part. The first error stays.
type cursor struct {
	rest []byte
	err  error
}

func (c *cursor) number() uint64 {
	n, size := binary.Uvarint(c.rest)
	if size <= 0 {
		c.err, c.rest = errPart, nil
		return 0
	}
	c.rest = c.rest[size:]
	return n
}

func (c *cursor) signed() int64 {
	n, size := binary.Varint(c.rest)
	if size <= 0 {
		c.err, c.rest = errPart, nil
		return 0
	}
	c.rest = c.rest[size:]
	return n
}

func (c *cursor) bytes() []byte {
	n := c.number()
	if c.err != nil || n > uint64(len(c.rest)) {
		c.err, c.rest = errPart, nil
		return nil
	}
	data := c.rest[:n:n]
	c.rest = c.rest[n:]
	return data
}

// message reads the next message.
func (c *cursor) message() Message {
	m := Message{Sequence: c.number()}
	if stamp := c.signed(); stamp != 0 {
		m.Time = time.Unix(0, stamp).UTC()
	}
	m.Subject = string(c.bytes())
	fields := c.number()
	if fields > maxFields {
		c.err, c.rest = errPart, nil
	}
	for ; fields > 0 && c.err == nil; fields-- {
		m.Headers = append(m.Headers, Field{string(c.bytes()), string(c.bytes())})
	}
	m.Data = c.bytes()
	return m
}

// position is how far a file of messages was written or read: the streams come in their order, and their messages too.
type position struct {
	streams  []Stream
	current  int // index of the stream; -1 is before the first
	sequence uint64
}

func newPosition(streams []Stream) position { return position{streams: streams, current: -1} }

// enter goes on to a stream.
func (p *position) enter(stream uint64) error {
	switch {
	case stream >= uint64(len(p.streams)):
		return fmt.Errorf("it belongs to stream %d, and the header names %d", stream, len(p.streams))
	case int(stream) < p.current:
		return fmt.Errorf("%s comes behind %s", p.streams[stream].Name, p.streams[p.current].Name)
	}
	for p.current < int(stream) {
		if err := p.leave(); err != nil {
			return err
		}
		p.current, p.sequence = p.current+1, 0
	}
	return nil
}

// leave verifies that nothing of the current stream is missing at its end.
func (p *position) leave() error {
	if p.current < 0 || p.sequence == p.streams[p.current].Last || IsPeople(p.streams[p.current].Name) {
		return nil // what was deleted from PEOPLE leaves no message behind, also at its end
	}
	s := p.streams[p.current]
	return fmt.Errorf("%s ends with message %d, the header says %d", s.Name, p.sequence, s.Last)
}

// finish verifies that every stream was read to its end.
func (p *position) finish() error {
	if err := p.enter(uint64(max(len(p.streams), 1) - 1)); err != nil {
		return err
	}
	return p.leave()
}

// take goes on to a message of the current stream.
func (p *position) take(sequence uint64) error {
	if s := p.streams[p.current]; sequence <= p.sequence || sequence > s.Last {
		return fmt.Errorf("message %d of %s, which ends with %d, comes behind message %d", sequence, s.Name, s.Last, p.sequence)
	}
	p.sequence = sequence
	return nil
}

// name returns the name of the current stream.
func (p *position) name() string {
	if p.current < 0 {
		return ""
	}
	return p.streams[p.current].Name
}
