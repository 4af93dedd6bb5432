package audit

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// exportVersion is the version of the format of exports.
const exportVersion = 2

// maxLine bounds one line, in bytes: a stored record as a JSON string, and the differences that it makes.
const maxLine = 16 << 20

// Header is the first line of an export. It is not signed: streams, installation and environment are compared with the signed records, and
// Time proves nothing.
type Header struct {
	Version      int       `json:"export"`
	Installation string    `json:"installation"`
	Environment  string    `json:"environment"`
	Streams      []string  `json:"streams"` // in the order in which their records follow
	Time         time.Time `json:"time"`
}

// Record is a stored record in an export. Data is what is signed. The other members are compared with it, but for Stored, which proves
// nothing.
type Record struct {
	Stream   string    `json:"stream"`
	Sequence uint64    `json:"sequence"`
	Subject  string    `json:"subject,omitzero"` // last token, of entries of the log
	Stored   time.Time `json:"stored,omitzero"`  // by the stream; it proves nothing
	Proof    string    `json:"proof"`
	Data     string    `json:"data"` // the bytes, exactly

	// Changes are what an entry changed in its document. A verifier compares them with the documents.
	Changes []Difference `json:"changes,omitempty"`
}

// end is the last line of an export.
type end struct {
	Checkpoint string `json:"checkpoint"` // a signed note with the heads of all streams
}

// line is any line of an export but the first.
type line struct {
	Record
	end
}

// lineReader reads an export line by line.
type lineReader struct {
	in     *bufio.Scanner
	number int
}

func newLineReader(r io.Reader) *lineReader {
	in := bufio.NewScanner(r)
	in.Buffer(make([]byte, 0, 1<<20), maxLine)
	return &lineReader{in: in}
}

var errCut = errors.New("the export ends before its last line, the checkpoint: it was cut off, so export it again")

// next decodes the next line. It returns errCut at the end of the file.
func (l *lineReader) next(into any) error {
	if !l.in.Scan() {
		if err := l.in.Err(); err != nil {
			return fmt.Errorf("line %d: %w", l.number+1, err)
		}
		return errCut
	}
	l.number++
	if err := json.Unmarshal(l.in.Bytes(), into, json.RejectUnknownMembers(true)); err != nil {
		return fmt.Errorf("line %d: %w", l.number, err)
	}
	return nil
}

// writeLine writes a value as one line.
func writeLine(w io.Writer, value any) error {
	data, err := json.Marshal(value, jsontext.Multiline(false))
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	_, err = w.Write(append(data, '\n'))
	return err
}
