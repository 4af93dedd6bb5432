package publisher

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/backup"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/writer"
)

// Restoring is what is asked of [RestoreBackup].
type Restoring struct {
	// Trust is a trust file that the backup must be proved by; the zero value leaves it to the keys, or to the trust file in the backup.
	Trust changelog.Trust
	Order writer.Order
}

// RestoredBackup says what became of a backup that was restored.
type RestoredBackup struct {
	BackedUp

	// Installation is the one that goes on: that of the backup, or another one, whose trust file every sidecar needs then.
	Installation string
	// KeysDir is where its keys are, and KeysWritten tells that they came from the backup.
	KeysDir     string
	KeysWritten bool
	// Epochs are the positions of the environments, in their new epochs. What is destroyed has none.
	Epochs []RestoredEnvironment
	// LeftOut are the archived environments that another installation does not have.
	LeftOut []string
}

// RestoredEnvironment is an environment that was restored.
type RestoredEnvironment struct {
	Name string
	// Left is the position at which the backup ends.
	Left, Position changelog.Position
	Documents      int
	Archived       bool
}

// Same reports whether the installation of the backup goes on.
func (r RestoredBackup) Same() bool { return r.Installation == r.BackedUp.Installation }

// ErrNotEmpty means that there is an installation already where a backup was to be restored.
var ErrNotEmpty = errors.New("there is an installation already")

// RestoreBackup puts what a backup holds into a new data directory, or into a NATS server that has no streams of flagside. Nothing is written
// before everything in the file is proved. With the keys of the installation, from the file or from the directory of the options, it goes on:
// every environment begins a new epoch, which sidecars take over. Repeated, it completes what was interrupted.
func RestoreBackup(ctx context.Context, o Options, file *os.File, r Restoring) (RestoredBackup, error) {
	done, err := restoreBackup(ctx, o, file, r)
	if err != nil {
		return done, fmt.Errorf("restore: %w", err)
	}
	return done, nil
}

func restoreBackup(ctx context.Context, o Options, file *os.File, r Restoring) (done RestoredBackup, err error) {
	f, err := backup.Open(file)
	if err != nil {
		return done, err
	}
	own, err := keysFor(o, f)
	if err != nil {
		return done, err
	}
	trust, err := own.trustFor(f, r.Trust)
	if err != nil {
		return done, err
	}
	v, err := copyOf(f, scratchIn(o.DataDir)).verify(ctx, trust)
	if err != nil {
		return done, err
	}
	if done.BackedUp, err = summary(f, file, v.warnings); err != nil {
		return done, err
	}
	task := fmt.Sprintf("publisher restore %x", f.Sum[:8])
	p, err := fillable(o, task, own.write)
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, p.unlock()) }()
	done.Installation, done.KeysDir, done.KeysWritten = p.keys.Keyring().Installation(), p.keysDir(), own.fromBackup
	err = p.withLog(ctx, func(ctx context.Context, conn *flagsync.Conn) error {
		into := restoration{p: p, conn: conn, file: f, verified: v, order: r.Order, op: fmt.Sprintf("restore-%x", f.Sum[:8]), done: &done}
		if own.same {
			return into.same(ctx)
		}
		return into.other(ctx)
	})
	if err == nil && p.server != nil {
		err = unmark(p.options.DataDir, unfinishedFile)
	}
	return done, err
}

// fillable returns as much of a publisher as can fill a data directory that has no streams, or a NATS server. A data directory is marked until
// the task is done.
func fillable(o Options, task string, prepare func() error) (*Publisher, error) {
	if o.NATS != "" {
		if err := prepare(); err != nil {
			return nil, err
		}
		return reaching(o, &Publisher{})
	}
	lock, err := o.lockDataDir() // until it is marked; a publisher that starts in between finds that
	if err != nil {
		return nil, err
	}
	err = markToFill(o.DataDir, task)
	if err == nil {
		err = prepare()
	}
	if err = errors.Join(err, lock.Close()); err != nil {
		return nil, err
	}
	return reaching(o, &Publisher{completing: true})
}

// markToFill marks a data directory. What the same task has left there when it was interrupted is deleted: JetStream does not find a stream
// again of which it was killed while it made the files.
func markToFill(dir, task string) error {
	unfinished, err := readMark(dir, unfinishedFile)
	switch {
	case err != nil:
		return err
	case unfinished == task:
		return os.RemoveAll(filepath.Join(dir, streamsDir))
	case unfinished != "":
		return fmt.Errorf("%s: %w: \"%s\" was interrupted there: repeat that, or name another directory", dir, ErrUnfinished, unfinished)
	case exists(filepath.Join(dir, streamsDir)):
		return fmt.Errorf("%s: %w: name a directory without streams; the keys and %s may lie there", dir, ErrNotEmpty, NATSUsersFile)
	}
	return mark(dir, unfinishedFile, task)
}

// scratchIn returns a directory for temporary files: a data directory that is there, because a container may have no other place.
func scratchIn(dataDir string) string {
	if exists(dataDir) {
		return dataDir
	}
	return ""
}
