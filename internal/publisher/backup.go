package publisher

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/flagside/flagside/internal/publisher/audit"
	"github.com/flagside/flagside/internal/publisher/control/requests"
	"github.com/flagside/flagside/internal/publisher/keys"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/backup"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/writer"
)

// BackedUp says what a backup holds.
type BackedUp struct {
	Installation string
	Time         time.Time
	Streams      []BackedUpStream
	Bytes        int64    // of the file
	Keys         bool     // private keys are in it
	Sum          [32]byte // SHA-256 of the file
	// Warnings are sentences about the history that break no proof.
	Warnings []string
}

// BackedUpStream is a stream in a backup.
type BackedUpStream struct {
	backup.Stream
	Messages int
}

// Backup copies all streams of an installation into a file, and reads that back: when it returns nil, the file is whole and everything in it is
// proved. The publisher may run meanwhile. The file holds the private keys if withKeys is true.
func Backup(ctx context.Context, o Options, out *os.File, withKeys bool) (BackedUp, error) {
	done, err := makeBackup(ctx, o, out, withKeys)
	if err != nil {
		return BackedUp{}, fmt.Errorf("backup: %w", err)
	}
	return done, nil
}

func makeBackup(ctx context.Context, o Options, out *os.File, withKeys bool) (done BackedUp, err error) {
	p, err := o.reach()
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, p.unlock()) }()
	return done, p.withLog(ctx, func(ctx context.Context, conn *flagsync.Conn) error {
		if err := p.writeBackup(ctx, conn, out, withKeys); err != nil {
			return err
		}
		trust, err := p.trust()
		if err == nil {
			done, err = verifyBackup(ctx, out, trust, o.DataDir)
		}
		return err
	})
}

// reach returns as much of a publisher as can reach the log of an installation, also while another one uses the data directory.
func (o Options) reach() (*Publisher, error) {
	if o.NATS != "" {
		return existing(o)
	}
	local, unreached := localServer{filepath.Join(o.DataDir, localSocket)}.options()
	if unreached != nil {
		p, err := existing(o)
		if errors.Is(err, errDataDirInUse) {
			err = unreached
		}
		return p, err
	}
	k, err := openKeys(o)
	if err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	return &Publisher{options: o, logger: o.Logger, keys: keys.NewWatcher(k, nil, o.Logger), local: &local}, nil
}

// writeBackup writes the file.
func (p *Publisher) writeBackup(ctx context.Context, conn *flagsync.Conn, out io.Writer, withKeys bool) error {
	points, err := findPointsPatiently(ctx, conn)
	if err != nil {
		return err
	}
	h, err := p.backupHeader(points, withKeys)
	if err != nil {
		return err
	}
	w, err := backup.NewWriter(out, h)
	if err != nil {
		return err
	}
	if withKeys {
		files, err := keys.Copy(p.keysDir())
		if err == nil {
			err = w.WriteKeys(files)
		}
		if err != nil {
			return fmt.Errorf("keys: %w", err)
		}
	}
	for i, s := range h.Streams {
		for m, err := range backup.Read(ctx, conn, s.Name, 1, s.Last) {
			if err == nil {
				err = w.Write(i, m)
			}
			if err != nil {
				return err
			}
		}
	}
	return w.Close()
}

// trust returns the trust file with the newest keys note.
func (p *Publisher) trust() (changelog.Trust, error) {
	return p.keys.Trust().WithFloor(p.keys.Keyring().Note().Text)
}

func (p *Publisher) keysDir() string { return cmp.Or(p.options.KeysDir, p.options.DataDir) }

func (p *Publisher) backupHeader(points points, withKeys bool) (backup.Header, error) {
	now := time.Now().UTC()
	checkpoint, err := p.keys.Current().SignCheckpoint(changelog.Checkpoint{Time: now, Heads: points.heads})
	if err != nil {
		return backup.Header{}, err
	}
	trust, err := p.trust()
	if err != nil {
		return backup.Header{}, err
	}
	return backup.Header{
		Installation: trust.Installation(), Time: now, Trust: trust.String(), Checkpoint: checkpoint, Streams: points.streams, Keys: withKeys,
	}, nil
}

// verifyBackup reads a backup from its beginning to its end, and verifies everything in it against a trust file.
func verifyBackup(ctx context.Context, file *os.File, trust changelog.Trust, scratch string) (BackedUp, error) {
	f, err := backup.Open(file)
	if err != nil {
		return BackedUp{}, err
	}
	v, err := copyOf(f, scratch).verify(ctx, trust)
	if err != nil {
		return BackedUp{}, err
	}
	return summary(f, file, v.warnings)
}

func summary(f *backup.File, file *os.File, warnings []string) (BackedUp, error) {
	info, err := file.Stat()
	if err != nil {
		return BackedUp{}, err
	}
	done := BackedUp{
		Installation: f.Header.Installation, Time: f.Header.Time, Bytes: info.Size(), Keys: f.Header.Keys, Sum: f.Sum, Warnings: warnings,
	}
	for i, s := range f.Header.Streams {
		done.Streams = append(done.Streams, BackedUpStream{s, f.Messages[i]})
	}
	return done, nil
}

// streamsCopy are all streams of an installation, in a file or on a server.
type streamsCopy struct {
	installation string
	checkpoint   string // a signed note that names the newest record of each
	streams      []backup.Stream
	messages     func(stream string) (audit.Messages, bool)
	scratch      string // directory for temporary files; "" is that of the system
}

func copyOf(f *backup.File, scratch string) streamsCopy {
	return streamsCopy{f.Header.Installation, f.Header.Checkpoint, f.Header.Streams, func(stream string) (audit.Messages, bool) {
		number, ok := f.Stream(stream)
		if !ok {
			return audit.Messages{}, false
		}
		return audit.Messages{Stream: stream, Last: f.Header.Streams[number].Last, All: func() backup.Sequence { return f.All(number) }}, true
	}, scratch}
}

// verified is what was found in streams of which everything is proved.
type verified struct {
	environments []writer.Environment
	states       map[string]audit.State // by environment, of each that has a log
	warnings     []string
}

// verify proves the chain of each stream up to the record that the checkpoint names, as an audit does.
func (c streamsCopy) verify(ctx context.Context, trust changelog.Trust) (v verified, err error) {
	if trust.Installation() != c.installation {
		return v, fmt.Errorf("the streams are of installation %s, and the keys and the trust file are of %s", c.installation, trust.Installation())
	}
	v.states = make(map[string]audit.State)
	control, ok := c.messages(writer.ControlLedger().Stream())
	if !ok {
		return v, errors.New("there is no CONTROL")
	}
	if err := audit.VerifyLedger(control, c.checkpoint, trust); err != nil {
		return v, err
	}
	if v.environments, err = audit.Environments(control, trust); err != nil {
		return v, err
	}
	if err := c.verifyNames(v.environments); err != nil {
		return v, err
	}
	for _, e := range v.environments {
		if err := v.verifyEnvironment(ctx, c, control, e, trust); err != nil {
			return v, err
		}
	}
	return v, nil
}

// verifyNames refuses streams of which CONTROL does not tell, because nothing proves them, and wants the one with the data of persons.
func (c streamsCopy) verifyNames(environments []writer.Environment) error {
	names := backup.StreamNames()
	if _, ok := c.messages(names[0]); !ok {
		return fmt.Errorf("there is no %s: start the publisher, which makes it, and repeat the backup", names[0])
	}
	for _, e := range environments {
		names = append(names, backup.StreamNames(e.Name)...)
	}
	for _, s := range c.streams {
		if !slices.Contains(names, s.Name) {
			return fmt.Errorf("CONTROL names no environment of the stream %s", s.Name)
		}
	}
	return nil
}

func (v *verified) verifyEnvironment(ctx context.Context, c streamsCopy, control audit.Messages, e writer.Environment, trust changelog.Trust) error {
	ledger, hasLedger := c.messages(writer.LedgerOf(e.Name).Stream())
	log, hasLog := c.messages(writer.DocumentStreams(e.Name)[0])
	switch {
	case !hasLedger:
		return fmt.Errorf("there is no ledger of environment %s", e.Name)
	case !hasLog && !e.Destroyed.IsZero():
		return audit.VerifyLedger(ledger, c.checkpoint, trust)
	case !hasLog:
		return fmt.Errorf("there is no log of environment %s", e.Name)
	}
	report, state, err := audit.VerifyCopied(ctx, audit.Copied{
		Environment: e.Name, Streams: []audit.Messages{control, ledger, log}, Checkpoint: c.checkpoint, Scratch: c.scratch,
	}, trust)
	if err != nil {
		return err
	}
	v.states[e.Name] = state
	for _, w := range report.Warnings {
		v.warnings = append(v.warnings, e.Name+": "+w)
	}
	return nil
}

// points are how far streams are copied.
type points struct {
	streams []backup.Stream
	heads   []changelog.StreamHead // of journals and logs
}

// findPoints asks how far streams go so that what one of them names stands in the others: a log before the ledger that it names, both before
// CONTROL, and PEOPLE last. See docs/adr/0016-a-backup-is-the-messages.md.
func findPoints(ctx context.Context, conn *flagsync.Conn) (points, error) {
	known := make(map[string][]changelog.StreamHead) // by environment
	for {
		environments, err := writer.ReadEnvironments(ctx, conn)
		if err != nil {
			return points{}, err
		}
		for _, e := range environments {
			if _, ok := known[e.Name]; ok {
				continue
			}
			if known[e.Name], err = findHeads(ctx, conn, e); err != nil {
				return points{}, err
			}
		}
		journal := writer.NewLedger(conn, writer.ControlLedger())
		control, err := newest(ctx, journal, changelog.StreamHead{Stream: writer.ControlLedger().Stream()}, nil)
		if err != nil {
			return points{}, err
		}
		if err := verifySigned(ctx, conn, control); err != nil {
			return points{}, err
		}
		again, err := writer.ReadEnvironments(ctx, conn)
		if err != nil {
			return points{}, err
		}
		if slices.ContainsFunc(again, func(e writer.Environment) bool { _, ok := known[e.Name]; return !ok }) {
			continue // one was created meanwhile
		}
		return collectPoints(ctx, conn, environments, control, known)
	}
}

// verifySigned refuses keys that signed nothing in a journal with messages: to them, an installation of others looks empty.
func verifySigned(ctx context.Context, conn *flagsync.Conn, head changelog.StreamHead) error {
	if head.Sequence > 0 {
		return nil
	}
	last, _, err := backup.Last(ctx, conn, head.Stream)
	if err == nil && last > 0 {
		err = fmt.Errorf("%s has %d messages, and none is signed by an installation with these keys: name the directory of its keys with --keys", head.Stream, last)
	}
	return err
}

// findPointsPatiently is findPoints, and waits a little for a server that cannot be reached.
func findPointsPatiently(ctx context.Context, conn *flagsync.Conn) (p points, err error) {
	err = retry(ctx, reachTimeout, func() error {
		p, err = findPoints(ctx, conn)
		return err
	})
	return p, err
}

func collectPoints(
	ctx context.Context, conn *flagsync.Conn, environments []writer.Environment, control changelog.StreamHead, known map[string][]changelog.StreamHead,
) (p points, err error) {
	p.heads = append(p.heads, control)
	for _, e := range environments {
		p.heads = append(p.heads, known[e.Name]...)
	}
	if people := backup.StreamNames()[0]; backup.IsPeople(people) {
		last, exists, err := backup.Last(ctx, conn, people)
		if err != nil {
			return p, err
		}
		if exists {
			p.streams = append(p.streams, backup.Stream{Name: people, Last: last})
		}
	}
	for _, h := range p.heads {
		p.streams = append(p.streams, backup.Stream{Name: h.Stream, Last: h.Sequence})
	}
	return p, nil
}

// findHeads returns how far the ledger and the log of an environment are copied.
func findHeads(ctx context.Context, conn *flagsync.Conn, e writer.Environment) ([]changelog.StreamHead, error) {
	ledger := writer.NewLedger(conn, writer.LedgerOf(e.Name))
	said, err := newest(ctx, ledger, changelog.StreamHead{Stream: writer.LedgerOf(e.Name).Stream()}, nil)
	if err != nil {
		return nil, err
	}
	if !e.Destroyed.IsZero() {
		return []changelog.StreamHead{said}, nil
	}
	// What the ledger says by now was applied stands in the log up to its head, and what the log names up to there stands in the ledger when that
	// is asked again. What the ledger says behind was applied behind the head is left out.
	head, err := writer.NewLog(conn, writer.LogOptions{Environment: e.Name}).Head(ctx)
	if err != nil {
		return nil, err
	}
	recorded, err := newest(ctx, ledger, said, func(r writer.Record) bool { return appliedAfter(r.Body, head) })
	if err != nil {
		return nil, err
	}
	return []changelog.StreamHead{recorded, {
		Stream: writer.DocumentStreams(e.Name)[0], Epoch: head.Epoch, Anchor: changelog.Anchor{Sequence: head.Revision, Digest: head.Digest},
	}}, nil
}

// newest returns the newest record of a journal behind one that is known, or the one before the first that is too new.
func newest(ctx context.Context, journal *writer.Ledger, head changelog.StreamHead, tooNew func(writer.Record) bool) (changelog.StreamHead, error) {
	for r, err := range journal.Read(ctx, head.Sequence+1) {
		if err != nil {
			return head, err
		}
		if tooNew != nil && tooNew(r) {
			break
		}
		head.Anchor = changelog.Anchor{Sequence: r.Sequence, Digest: r.Digest}
	}
	return head, nil
}

// appliedAfter reports whether a record of a ledger says that something was applied behind a position of the log.
func appliedAfter(body []byte, head changelog.Position) bool {
	e, err := requests.DecodeEvent(body)
	return err == nil && e.Type == requests.EventApplied && e.Position != nil && e.Position.Revision > head.Revision
}

// BackupFile is [Backup] into a new file, which only its owner can read. The file is there only once everything in it is proved.
func BackupFile(ctx context.Context, o Options, path string, withKeys bool) (done BackedUp, err error) {
	if exists(path) {
		return done, fmt.Errorf("backup: %s is there already: name another file", path)
	}
	file, err := createNew(path)
	if err != nil {
		return done, fmt.Errorf("backup: %w", err)
	}
	if done, err = Backup(ctx, o, file.File, withKeys); err != nil {
		return done, errors.Join(err, file.discard())
	}
	if err := file.complete(); err != nil {
		return done, fmt.Errorf("backup: %w", err)
	}
	return done, nil
}
