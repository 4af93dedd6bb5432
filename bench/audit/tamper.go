package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/flagside/flagside/internal/publisher/audit"
)

// tampered changes one byte of a record, and fails unless exactly that record is named.
func (b bench) tampered(ctx context.Context, line int) error {
	file := filepath.Join(b.dir, "tampered.jsonl")
	changed, err := b.tamper(file, line)
	if err != nil {
		return fmt.Errorf("change line %d: %w", line, err)
	}
	_, output, err := b.verify(ctx, file)
	if err == nil {
		return fmt.Errorf("%s at %d was changed, and that was not noticed", changed.Stream, changed.Sequence)
	}
	if want := fmt.Sprintf("the first bad record: %s at %d (line %d)", changed.Stream, changed.Sequence, line); !strings.Contains(output, want) {
		return fmt.Errorf("want %q, got %s", want, output)
	}
	return nil
}

// tamper copies the export with one record changed, and returns that.
func (b bench) tamper(file string, line int) (changed audit.Record, err error) {
	in, err := os.Open(b.export)
	if err != nil {
		return changed, err
	}
	defer func() { _ = in.Close() }() // it was read
	to, err := os.Create(file)
	if err != nil {
		return changed, err
	}
	from, out := bufio.NewReaderSize(in, 1<<20), bufio.NewWriterSize(to, 1<<20)
	for n := 1; ; n++ {
		text, err := from.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return changed, errors.Join(out.Flush(), to.Close())
		}
		if err == nil && n == line {
			text, changed, err = alter(text)
		}
		if err == nil {
			_, err = out.Write(text)
		}
		if err != nil {
			return changed, errors.Join(err, to.Close())
		}
	}
}

// alter changes a letter of the stored bytes, in the id of the operation.
func alter(line []byte) ([]byte, audit.Record, error) {
	var r audit.Record
	if err := json.Unmarshal(line, &r); err != nil {
		return nil, r, err
	}
	changed := bytes.Replace(line, []byte("op-"), []byte("oq-"), 1)
	if bytes.Equal(changed, line) {
		return nil, r, errors.New("nothing in it can be changed")
	}
	return changed, r, nil
}
