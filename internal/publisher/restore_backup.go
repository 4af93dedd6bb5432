package publisher

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/keys"
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

// ownKeys are the keys that a restore has.
type ownKeys struct {
	same       bool // they are those of the installation in the backup
	fromBackup bool
	trust      changelog.Trust // of the directory; zero if there is none
	files      keys.Files      // to be written
	dir        string
}

// keysFor finds the keys with which an installation goes on: those in the directory of the options, else those in the backup, else new ones.
func keysFor(o Options, f *backup.File) (own ownKeys, err error) {
	own.dir = o.KeysDir
	if own.dir == "" {
		own.dir = o.DataDir
	}
	k, err := keys.Open(own.dir)
	switch {
	case err == nil:
		own.same = k.Keyring.Installation() == f.Header.Installation
		own.trust, err = k.Trust.WithFloor(k.Keyring.Note().Text)
		return own, err
	case f.Keys != nil && (errors.Is(err, keys.ErrNoKeys) || ownsAll(own.dir, f.Keys)):
		own.same, own.fromBackup, own.files = true, true, f.Keys
		if own.trust, err = verifyKeys(own.files); err != nil {
			err = fmt.Errorf("the keys in the backup: %w", err)
		}
		return own, err
	case errors.Is(err, keys.ErrNoKeys) && o.NATS == "":
		return own, nil // the data directory gets new ones
	}
	return own, err
}

// verifyKeys reports whether keys in a backup fit together, and returns their trust file with their keys note.
func verifyKeys(files keys.Files) (changelog.Trust, error) {
	trust, err := files.Verify()
	if err != nil {
		return trust, err
	}
	if root, ok := files[keys.RootFile]; ok {
		if err := keys.VerifyRoot(string(root), trust); err != nil {
			return trust, fmt.Errorf("%s: %w", keys.RootFile, err)
		}
	}
	return trust.WithFloor(string(files[keys.NoteFile]))
}

// ownsAll reports whether a directory holds nothing but files of keys that an interrupted restore wrote.
func ownsAll(dir string, files keys.Files) bool {
	for _, name := range []string{keys.RootFile, keys.SigningFile, keys.PreviousFile, keys.NoteFile, keys.TrustFile} {
		text, err := os.ReadFile(filepath.Join(dir, name)) // #nosec G304 -- the operator's directory
		if err == nil && string(text) != string(files[name]) {
			return false
		}
	}
	return true
}

// write writes the keys of the backup, if they are needed.
func (k ownKeys) write() error {
	if !k.fromBackup {
		return nil
	}
	return k.files.Write(k.dir)
}

// trustFor returns what a backup is proved by: the root keys that are given, or those of the installation that is to go on, and the newest keys
// note that they signed.
func (k ownKeys) trustFor(f *backup.File, given changelog.Trust) (changelog.Trust, error) {
	inside, err := changelog.ParseTrust([]byte(f.Header.Trust))
	if err != nil {
		return inside, fmt.Errorf("the trust file in the backup: %w", err)
	}
	trust := inside
	if given.Installation() != "" {
		trust = given
	} else if k.same {
		trust = k.trust
	}
	if trust.Installation() != f.Header.Installation {
		return trust, fmt.Errorf("the backup is of installation %s, and the trust file is of %s", f.Header.Installation, trust.Installation())
	}
	if k.same {
		if err := k.verifyRoots(trust); err != nil {
			return trust, err
		}
	}
	for _, known := range []changelog.Trust{k.trust, inside} { // the newest keys note counts, wherever it is
		if known.Installation() != trust.Installation() || known.Floor().Version <= trust.Floor().Version {
			continue
		}
		if trust, err = trust.WithFloor(known.Floor().Text); err != nil {
			return trust, fmt.Errorf("a keys note that is newer than the trust file: %w", err)
		}
	}
	return trust, k.verifySigning(trust)
}

// verifyRoots refuses keys with which a publisher would trust another root key than is trusted here.
func (k ownKeys) verifyRoots(trust changelog.Trust) error {
	for _, root := range k.trust.Roots() {
		if !slices.Contains(trust.Roots(), root) {
			return fmt.Errorf("%s trust root key %s, which the trust file does not have: %s", k.origin(), root, k.remedy())
		}
	}
	return nil
}

// verifySigning refuses a signing key in the backup that is revoked.
func (k ownKeys) verifySigning(trust changelog.Trust) error {
	if !k.fromBackup {
		return nil
	}
	signing, err := changelog.ParseSecret(string(k.files[keys.SigningFile]))
	if err == nil && !slices.Contains(trust.Floor().PublicKeys(), signing) {
		err = fmt.Errorf("%s sign with key %s, which the newest keys note does not list: %s", k.origin(), signing, k.remedy())
	}
	return err
}

func (k ownKeys) origin() string {
	if k.fromBackup {
		return "the keys in the backup"
	}
	return "the keys in " + k.dir
}

func (k ownKeys) remedy() string {
	if k.fromBackup {
		return "name the directory of your own keys with --keys, and use no backup that others could write to"
	}
	return "name the trust file of those keys, or their directory with --keys"
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

// restoration is a restore under way.
type restoration struct {
	p        *Publisher
	conn     *flagsync.Conn
	file     *backup.File
	verified verified
	order    writer.Order
	op       string // the beginning of the op-ids of what it writes
	done     *RestoredBackup
}

// same has the installation of the backup go on.
func (r *restoration) same(ctx context.Context) error {
	if err := r.verifyEmpty(ctx); err != nil {
		return err
	}
	for _, e := range r.verified.environments {
		if err := r.allow(e.Name); err != nil {
			return err
		}
	}
	for i, s := range r.file.Header.Streams {
		err := patiently(ctx, func() error {
			_, err := backup.Fill(ctx, r.conn, s.Name, r.p.options.Replicas, r.file.All(i))
			return err
		})
		if err != nil {
			return r.occupied(err)
		}
	}
	for i, s := range r.file.Header.Streams { // a server that stored something else would be found now
		if held, err := r.compare(ctx, i, s.Name); err != nil || !held.All {
			return errors.Join(err, fmt.Errorf("%s does not hold what was stored in it", s.Name))
		}
	}
	for _, e := range r.verified.environments {
		if !e.Destroyed.IsZero() {
			continue
		}
		if err := r.renew(ctx, e); err != nil { // what is archived too: it may be revived, and sidecars may know more of it
			return err
		}
	}
	return patiently(ctx, func() error { return r.record(ctx) })
}

func (r *restoration) compare(ctx context.Context, number int, stream string) (held backup.Holds, err error) {
	err = patiently(ctx, func() error {
		held, err = backup.Compare(ctx, r.conn, stream, r.p.options.Replicas, r.file.All(number))
		return err
	})
	return held, err
}

func (r *restoration) allow(environment string) error {
	if r.p.server == nil {
		return nil
	}
	return r.p.server.AllowEnvironment(environment)
}

// verifyEmpty refuses streams that hold anything but what an earlier run of this restore has written. CONTROL is written to last.
func (r *restoration) verifyEmpty(ctx context.Context) error {
	for i, s := range r.file.Header.Streams {
		held, err := r.compare(ctx, i, s.Name)
		if err != nil {
			return r.occupied(err)
		}
		if held.Behind == 0 {
			continue
		}
		environment, isLog := backup.Environment(s.Name)
		if s.Name == writer.ControlLedger().Stream() && r.recorded(ctx, held.Behind) {
			return fmt.Errorf("%w: %w", ErrNotEmpty, errRestored)
		}
		if !isLog {
			return r.occupied(fmt.Errorf("%s goes on at %d: %w", s.Name, held.Behind, backup.ErrOccupied))
		}
		if err := r.verifyOwn(ctx, environment, s.Name, held.Behind); err != nil {
			return r.occupied(err)
		}
	}
	return nil
}

// errRestored means that nothing is left to do.
var errRestored = errors.New("this backup was restored here before, to its end")

// recorded reports whether a record of CONTROL says that this restore is complete.
func (r *restoration) recorded(ctx context.Context, sequence uint64) bool {
	for m, err := range backup.Read(ctx, r.conn, writer.ControlLedger().Stream(), sequence, sequence) {
		if err != nil {
			return false
		}
		record, err := changelog.DecodeLedgerRecord(m.Data)
		return err == nil && record.OpID == r.op
	}
	return false
}

// verifyOwn refuses a log that has anything behind the backup but entries of this restore.
func (r *restoration) verifyOwn(ctx context.Context, environment, stream string, from uint64) error {
	last, _, err := backup.Last(ctx, r.conn, stream)
	if err != nil {
		return err
	}
	for m, err := range backup.Read(ctx, r.conn, stream, from, last) {
		if err != nil {
			return err
		}
		if e, err := changelog.DecodeEntry(m.Data); err != nil || !strings.HasPrefix(e.OpID, r.op) {
			return fmt.Errorf("%s goes on at %d: %w", stream, m.Sequence, backup.ErrOccupied)
		}
	}
	return nil
}

// occupied adds what to do about streams that hold something.
func (r *restoration) occupied(err error) error {
	if !errors.Is(err, backup.ErrOccupied) {
		return err
	}
	remedy := "name a server or an account without streams of flagside, or delete them there first, with \"nats stream rm\""
	if r.p.server != nil {
		remedy = "name a new data directory"
	}
	return fmt.Errorf("%w: %w: %s", ErrNotEmpty, err, remedy)
}

// renew begins a new epoch with the state that the backup ends with: sidecars that know a newer one follow only that.
func (r *restoration) renew(ctx context.Context, e writer.Environment) error {
	s := r.verified.states[e.Name]
	n := writer.NewEpoch{
		OpID: r.op, Actor: r.order.Actor, Reason: r.reason(), Time: time.Now(), Documents: slices.Values(s.Documents), Count: len(s.Documents),
		Archived: true,
	}
	if r.done.Same() {
		n.After = s.Position
	}
	var position changelog.Position
	err := patiently(ctx, func() error { // one that was not completed counts for nothing
		list, err := writer.OpenEnvironments(ctx, r.conn, r.p.options.Replicas)
		if err == nil {
			position, err = list.Recreate(ctx, e.Name, n)
		}
		return err
	})
	if err != nil {
		return err
	}
	r.done.Epochs = append(r.done.Epochs, RestoredEnvironment{e.Name, s.Position, position, len(s.Documents), !e.Archived.IsZero()})
	return nil
}

// reason says in signed records what was done.
func (r *restoration) reason() string {
	said := fmt.Sprintf("restored from the backup of %s (%x)", r.file.Header.Time.Format(time.RFC3339), r.file.Sum[:8])
	if r.order.Reason == "" {
		return said
	}
	return said + ": " + r.order.Reason
}

// record says in CONTROL that everything was restored.
func (r *restoration) record(ctx context.Context) error {
	journal, err := writer.OpenLedger(ctx, r.conn, writer.ControlLedger(), r.p.options.Replicas)
	if err != nil {
		return err
	}
	head, err := newest(ctx, journal, changelog.StreamHead{}, nil)
	if err != nil || r.recorded(ctx, head.Sequence) {
		return err
	}
	body, err := access.RestoredRecord(time.Now(), r.order.Actor, access.Why{Reason: r.reason()})
	if err != nil {
		return err
	}
	_, err = journal.Append(ctx, head.Sequence, r.op, body)
	return err
}

// other makes another installation of the documents in the backup: what the other one signed proves nothing here, and nothing of it is stored.
// An environment that an earlier run made has nothing but its first transaction, or what this restore wrote.
func (r *restoration) other(ctx context.Context) error {
	if err := r.verifyUnused(ctx); err != nil {
		return err
	}
	list, err := writer.OpenEnvironments(ctx, r.conn, r.p.options.Replicas)
	if err == nil {
		_, err = writer.OpenPeople(ctx, r.conn, r.p.options.Replicas)
	}
	if err != nil {
		return err
	}
	for _, e := range r.verified.environments {
		if !e.Destroyed.IsZero() {
			continue
		}
		if !e.Archived.IsZero() {
			r.done.LeftOut = append(r.done.LeftOut, e.Name)
			continue
		}
		if err := r.allow(e.Name); err != nil {
			return err
		}
		_, err := list.Create(ctx, e.Name, writer.Order{Actor: r.order.Actor, Reason: r.reason()})
		if err != nil && !errors.Is(err, writer.ErrEnvironmentExists) {
			return err
		}
		if err := r.renew(ctx, e); err != nil {
			return err
		}
	}
	return patiently(ctx, func() error { return r.record(ctx) })
}

// verifyUnused refuses a server on which there is anything but what an earlier run of this restore has made: its environments, and nothing that
// was done to them by others.
func (r *restoration) verifyUnused(ctx context.Context) error {
	control := writer.ControlLedger().Stream()
	_, exists, err := backup.Last(ctx, r.conn, control)
	if err != nil || !exists {
		return err
	}
	for record, err := range writer.NewLedger(r.conn, writer.ControlLedger()).Read(ctx, 1) {
		if err != nil {
			return err
		}
		act, ok, err := access.DecodeAct(record)
		switch {
		case err != nil:
			return err
		case record.OpID == r.op:
			return fmt.Errorf("%w: %w", ErrNotEmpty, errRestored)
		case ok && act.Type == changelog.RecordKeys, ok && act.Type == "environment.created" && act.Reason == r.reason():
		default:
			return r.occupied(fmt.Errorf("%s has a record at %d: %w", control, record.Sequence, backup.ErrOccupied))
		}
	}
	return nil
}

// scratchIn returns a directory for temporary files: a data directory that is there, because a container may have no other place.
func scratchIn(dataDir string) string {
	if exists(dataDir) {
		return dataDir
	}
	return ""
}
