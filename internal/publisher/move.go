package publisher

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/flagside/flagside/internal/publisher/audit"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/backup"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/writer"
)

// Moved says what was moved.
type Moved struct {
	Installation string
	Streams      []BackedUpStream
	KeysDir      string
	// Left is the data directory that was left, which no publisher uses any more; "" if the streams were on another server.
	Left     string
	Warnings []string
}

// ErrChanged means that something was written while it was moved.
var ErrChanged = errors.New("something was written while it was moved")

// Move copies all streams to a place without any: a NATS server or a new data directory. No publisher may run meanwhile. Everything is proved
// before it is copied, and compared afterwards, so that sidecars which connect to the new place go on where they are: there is no new epoch.
// Repeated, it completes what was interrupted.
func Move(ctx context.Context, from, to Options) (Moved, error) {
	m := &moving{ctx: ctx, to: to}
	err := m.run(from)
	if err != nil {
		return m.done, fmt.Errorf("move: %w", err)
	}
	return m.done, nil
}

// moving is a move under way.
type moving struct {
	ctx      context.Context //nolint:containedctx // of one call
	to       Options
	source   *Publisher
	target   *Publisher
	from     *flagsync.Conn
	into     *flagsync.Conn
	streams  []backup.Stream
	verified verified
	done     Moved
}

func (m *moving) run(from Options) (err error) {
	if m.source, err = m.leaving(from); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.source.unlock()) }()
	return m.source.withLog(m.ctx, func(ctx context.Context, conn *flagsync.Conn) error {
		m.ctx, m.from = ctx, conn
		if err := m.prove(); err != nil {
			return err
		}
		return m.enter()
	})
}

// leaving returns what reaches the place that is left. It may have been left before, for the same place.
func (m *moving) leaving(o Options) (*Publisher, error) {
	if o.NATS != "" {
		return reaching(o, &Publisher{})
	}
	if !exists(filepath.Join(o.DataDir, streamsDir)) {
		return nil, fmt.Errorf("%s has no streams: it is not the data directory of a publisher with the embedded NATS server", o.DataDir)
	}
	p, err := reaching(o, &Publisher{completing: true})
	if errors.Is(err, errDataDirInUse) {
		return nil, fmt.Errorf("stop the publisher first, so that nothing is written meanwhile: %w", err)
	}
	if err != nil {
		return nil, err
	}
	if err := verifyComplete(o.DataDir); err != nil && !m.leftBefore(o.DataDir) {
		return nil, errors.Join(err, p.unlock())
	}
	return p, nil
}

// leftBefore reports whether a data directory was left for the same place.
func (m *moving) leftBefore(dir string) bool {
	unfinished, err := readMark(dir, unfinishedFile)
	where, failed := readMark(dir, movedFile)
	return err == nil && failed == nil && unfinished == "" && where == m.destination()
}

// destination names the place for people. The address of a server may contain a password.
func (m *moving) destination() string {
	if m.to.NATS == "" {
		return m.to.DataDir
	}
	return withoutPasswords(m.to.NATS)
}

func withoutPasswords(urls string) string {
	all := strings.Split(urls, ",")
	for i, url := range all {
		scheme, rest, ok := strings.Cut(url, "://")
		if at := strings.LastIndex(rest, "@"); ok && at >= 0 {
			all[i] = scheme + "://" + rest[at+1:]
		}
	}
	return strings.Join(all, ",")
}

// prove verifies everything that is to be moved, where it is. Nothing may change it from then on.
func (m *moving) prove() error {
	if m.source.server == nil {
		if err := backup.AwaitSilence(m.ctx, m.from); err != nil {
			return err
		}
	}
	points, err := findPointsPatiently(m.ctx, m.from)
	if err != nil {
		return err
	}
	for _, s := range points.streams {
		last, _, err := backup.Last(m.ctx, m.from, s.Name) // with noise at the end, behind which revisions go on
		if err != nil {
			return err
		}
		m.streams = append(m.streams, backup.Stream{Name: s.Name, Last: last})
	}
	trust, err := m.source.trust()
	if err != nil {
		return err
	}
	checkpoint, err := m.source.keys.Current().SignCheckpoint(changelog.Checkpoint{Time: time.Now(), Heads: points.heads})
	if err != nil {
		return err
	}
	m.verified, err = streamsCopy{trust.Installation(), checkpoint, m.streams, m.messages, m.source.options.DataDir}.verify(m.ctx, trust)
	m.done.Installation, m.done.KeysDir, m.done.Warnings = trust.Installation(), m.source.keysDir(), m.verified.warnings
	return err
}

// messages returns those of a stream that is to be moved.
func (m *moving) messages(stream string) (audit.Messages, bool) {
	for _, s := range m.streams {
		if s.Name == stream {
			return audit.Messages{Stream: stream, Last: s.Last, All: func() backup.Sequence { return m.all(s) }}, true
		}
	}
	return audit.Messages{}, false
}

func (m *moving) all(s backup.Stream) backup.Sequence {
	return backup.Read(m.ctx, m.from, s.Name, 1, s.Last)
}

// enter fills the new place.
func (m *moving) enter() (err error) {
	m.to.KeysDir = m.source.keysDir()
	if m.target, err = fillable(m.to, "publisher move "+m.origin(), func() error { return nil }); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.target.unlock()) }()
	err = m.target.withLog(m.ctx, func(ctx context.Context, conn *flagsync.Conn) error {
		m.ctx, m.into = ctx, conn
		return m.fill()
	})
	if err == nil && m.target.server != nil {
		err = unmark(m.to.DataDir, unfinishedFile)
	}
	return err
}

func (m *moving) origin() string {
	if m.source.server == nil {
		return "from " + withoutPasswords(m.source.options.NATS)
	}
	return "from " + m.source.options.DataDir
}

func (m *moving) fill() error {
	for _, s := range m.streams { // before anything is written
		held, err := m.held(s, m.all(s))
		if err == nil && held.Behind > 0 {
			err = fmt.Errorf("%s goes on at %d: %w", s.Name, held.Behind, backup.ErrOccupied)
		}
		if err != nil {
			return m.occupied(err)
		}
	}
	if m.source.server != nil { // from here on, no publisher may write there
		if err := mark(m.source.options.DataDir, movedFile, m.destination()); err != nil {
			return err
		}
		m.done.Left = m.source.options.DataDir
	}
	for _, e := range m.verified.environments {
		if m.target.server == nil {
			break
		}
		if err := m.target.server.AllowEnvironment(e.Name); err != nil {
			return err
		}
	}
	for _, s := range m.streams {
		err := patiently(m.ctx, func() error {
			_, err := backup.Fill(m.ctx, m.into, s.Name, m.target.options.Replicas, m.all(s))
			return err
		})
		if err != nil {
			return m.occupied(err)
		}
	}
	return m.compare()
}

// held returns what the new place has of a stream.
func (m *moving) held(s backup.Stream, all backup.Sequence) (held backup.Holds, err error) {
	err = patiently(m.ctx, func() error {
		held, err = backup.Compare(m.ctx, m.into, s.Name, m.target.options.Replicas, all)
		return err
	})
	return held, err
}

func (m *moving) occupied(err error) error {
	if !errors.Is(err, backup.ErrOccupied) {
		return err
	}
	return fmt.Errorf("%w: %w: move to a server or an account without streams of flagside, or delete them there first, with \"nats stream rm\"", ErrNotEmpty, err)
}

// compare compares both places, and verifies that nothing was written where the installation was.
func (m *moving) compare() error {
	for _, s := range m.streams {
		messages := 0
		counted := func(yield func(backup.Message, error) bool) {
			messages = 0
			for message, err := range m.all(s) {
				if messages++; !yield(message, err) {
					return
				}
			}
		}
		held, err := m.held(s, counted)
		if err != nil || !held.All || held.Behind > 0 {
			return errors.Join(err, fmt.Errorf("%s does not hold what was stored in it", s.Name))
		}
		m.done.Streams = append(m.done.Streams, BackedUpStream{s, messages})
	}
	for _, s := range m.streams {
		if last, _, err := backup.Last(m.ctx, m.from, s.Name); err != nil || last != s.Last {
			return errors.Join(err, fmt.Errorf("%w: %s ended at %d and ends at %d: stop all publishers and repeat it", ErrChanged, s.Name, s.Last, last))
		}
	}
	all, err := writer.ReadEnvironments(m.ctx, m.from)
	if err == nil && len(all) != len(m.verified.environments) {
		err = fmt.Errorf("%w: an environment was created: stop all publishers and repeat it", ErrChanged)
	}
	return err
}
