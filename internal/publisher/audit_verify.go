package publisher

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/flagside/flagside/internal/progress"
	"github.com/flagside/flagside/internal/publisher/audit"
	"github.com/flagside/flagside/internal/publisher/control"
	"github.com/flagside/flagside/sync/writer"
)

// verifyTime bounds how long the history of an environment may take to be verified.
const verifyTime = 10 * time.Minute

// VerifyAudit implements admin.Environments: it exports the history as anyone may, and believes only the trust file and the newest keys note of this publisher.
// One history is verified at a time.
func (e *environments) VerifyAudit(ctx context.Context, name string) (audit.Report, error) {
	select {
	case e.verifying <- struct{}{}:
		defer func() { <-e.verifying }()
	default:
		return audit.Report{}, errVerifying
	}
	ctx, cancel := context.WithTimeout(ctx, verifyTime)
	defer cancel()
	running, err := e.find(name)
	if err != nil {
		return audit.Report{}, err
	}
	source, err := e.Audit(ctx, name, false)
	if err != nil {
		return audit.Report{}, err
	}
	keyring := running.conn.Keyring()
	trust, err := keyring.Trust().WithFloor(keyring.Note().Text)
	if err != nil {
		return audit.Report{}, err
	}
	source.Streams = metered(source.Streams, progress.Of(ctx))
	in, out := io.Pipe()
	exported := make(chan error, 1)
	go func() {
		err := audit.Export(ctx, out, source)
		exported <- err
		out.CloseWithError(err)
	}()
	report, err := audit.Verify(in, trust, audit.Options{Environment: name})
	_ = in.Close() // which ends an export that goes on
	if failed := <-exported; failed != nil && !errors.Is(failed, io.ErrClosedPipe) {
		return report, failed // what was read is not all
	}
	return report, err
}

// metered returns streams whose records are told to a meter as they are read.
func metered(streams []audit.Stream, m progress.Meter) []audit.Stream {
	all := 0
	for i, s := range streams {
		all += int(s.Last)
		streams[i].Records = func(yield func(writer.Stored, error) bool) {
			for record, err := range s.Records {
				m.Add(1)
				if !yield(record, err) {
					return
				}
			}
		}
	}
	m.Expect(all)
	return streams
}

// errVerifying means that another history is being verified.
var errVerifying = fmt.Errorf("another history is being verified: %w", control.ErrNotReady)

// KeysNote implements admin.Environments.
func (e *environments) KeysNote(_ context.Context, name string) (uint64, []string, error) {
	running, err := e.find(name)
	if err != nil {
		return 0, nil, err
	}
	n := running.conn.Keyring().Note()
	keys := make([]string, 0, len(n.Keys))
	for _, key := range n.Keys {
		keys = append(keys, key[:strings.LastIndexByte(key, '+')]) // name and number; the rest is the key itself
	}
	return n.Version, keys, nil
}
