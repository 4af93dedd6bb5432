//go:build linux

package load

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

// exchange is the protocol of one connection, with one request at a time.
type exchange interface {
	// opening returns what is sent before the first request.
	opening() []byte
	// request appends a request.
	request(dst []byte, r *Request) []byte
	// receive takes what has arrived. It reports whether the answer is complete; reply is to be sent in any case.
	receive(data []byte) (complete bool, reply []byte, err error)
}

// http1 is HTTP/1.1.
type http1 struct {
	status  int    // that is wanted
	head    []byte // a part of an answer's beginning
	inBody  bool
	left    int // bytes of the body, or of its chunk
	chunked *chunks
}

func (h *http1) opening() []byte { return nil }

func (h *http1) request(dst []byte, r *Request) []byte { return append(dst, r.wire...) }

// endOfHead is what an answer's header ends with.
var endOfHead = []byte("\r\n\r\n")

// maxHead is how long a header may be.
const maxHead = 64 << 10

func (h *http1) receive(data []byte) (complete bool, reply []byte, err error) {
	if !h.inBody {
		if data, err = h.receiveHead(data); err != nil || !h.inBody {
			return false, nil, err
		}
	}
	if h.chunked != nil {
		complete, err = h.chunked.receive(data)
	} else {
		h.left -= len(data)
		complete = h.left == 0
		if h.left < 0 {
			err = errors.New("the answer is longer than its Content-Length")
		}
	}
	if complete {
		h.inBody, h.chunked = false, nil
	}
	return complete, nil, err
}

// receiveHead takes the header, once it is there as a whole, and returns what follows.
func (h *http1) receiveHead(data []byte) (rest []byte, err error) {
	if len(h.head) > 0 {
		h.head = append(h.head, data...)
		data = h.head
	}
	end := bytes.Index(data, endOfHead)
	if end < 0 {
		if len(data) > maxHead {
			return nil, errors.New("the header of the answer does not end")
		}
		if len(h.head) == 0 {
			h.head = append(h.head, data...)
		}
		return nil, nil
	}
	h.head = h.head[:0]
	rest = data[end+len(endOfHead):]
	return rest, h.begin(data[:end], rest)
}

// begin reads the header.
func (h *http1) begin(head, rest []byte) error {
	line, fields, _ := bytes.Cut(head, []byte("\r\n"))
	if !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) || len(line) < len("HTTP/1.1 200") {
		return fmt.Errorf("not an answer of HTTP/1.1: %q", shortened(line))
	}
	status, err := strconv.Atoi(string(line[9:12]))
	if err != nil || status != h.status {
		return fmt.Errorf("want status %d, got %q: %q", h.status, line, shortened(rest))
	}
	h.inBody, h.left = true, 0
	if status == 304 || status == 204 {
		return nil // which have no body, whatever the length says
	}
	return h.length(fields)
}

func (h *http1) length(fields []byte) error {
	for len(fields) > 0 {
		var field []byte
		field, fields, _ = bytes.Cut(fields, []byte("\r\n"))
		name, value, _ := bytes.Cut(field, []byte(":"))
		switch {
		case len(name) == len("Content-Length") && bytes.EqualFold(name, []byte("Content-Length")):
			n, err := strconv.Atoi(string(bytes.TrimSpace(value)))
			h.left = n
			return err
		case len(name) == len("Transfer-Encoding") && bytes.EqualFold(name, []byte("Transfer-Encoding")):
			h.chunked = new(chunks)
			return nil
		}
	}
	return errors.New("the answer has neither Content-Length nor Transfer-Encoding")
}

// shortened returns the beginning of what is shown to people.
func shortened(text []byte) []byte { return text[:min(len(text), 300)] }

// chunks reads a body of which the length is not known at first (RFC 9112, section 7.1). Trailers are not expected.
type chunks struct {
	line []byte // the size of a chunk, as far as it has arrived
	left int    // bytes of a chunk, with the line break after it
	last bool
}

func (c *chunks) receive(data []byte) (complete bool, err error) {
	for len(data) > 0 {
		if c.left > 0 {
			n := min(c.left, len(data))
			c.left, data = c.left-n, data[n:]
			if c.left == 0 && c.last {
				return true, nil
			}
			continue
		}
		end := bytes.IndexByte(data, '\n')
		if end < 0 {
			c.line = append(c.line, data...)
			return false, nil
		}
		c.line = append(c.line, data[:end]...)
		data = data[end+1:]
		if err := c.begin(); err != nil {
			return false, err
		}
	}
	return false, nil
}

// begin reads the line that begins a chunk.
func (c *chunks) begin() error {
	size, _, _ := bytes.Cut(bytes.TrimSpace(c.line), []byte(";"))
	n, err := strconv.ParseUint(string(size), 16, 31)
	if err != nil {
		return fmt.Errorf("size of a chunk: %w", err)
	}
	c.left, c.last, c.line = int(n)+len("\r\n"), n == 0, c.line[:0]
	return nil
}
