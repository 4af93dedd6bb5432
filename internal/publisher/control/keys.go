package control

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/sync/changelog"
)

// KeyLifetime is how long an idempotency key is remembered with what came of it. A key that is older is refused, never carried out again.
const KeyLifetime = 24 * time.Hour

const keyPrefix = "key"

// keyedOp is the op-id of a command with an idempotency key: "key.<who and key>.<command>.<part>.<parts to come>", so that the log
// itself tells what a key was used for, and whether all of it was done.
type keyedOp struct {
	key, command string
	parts        int    // that are done
	done         Result // of them
}

func newKeyedOp(actor, key string, c decide.Command) *keyedOp {
	return &keyedOp{key: decide.Fingerprint(actor + "\x00" + key), command: decide.CommandFingerprint(c)}
}

func (k *keyedOp) String() string { return k.part(1) }

// part returns the op-id of the next part, of which remaining are to be done with it.
func (k *keyedOp) part(remaining int) string {
	return strings.Join([]string{keyPrefix, k.key, k.command, strconv.Itoa(k.parts + 1), strconv.Itoa(remaining - 1)}, ".")
}

// keyUse is what the log tells about a key.
type keyUse struct {
	command  string
	parts    int // of the newest part, from 1
	rest     int // parts that were still to come
	op       string
	position changelog.Position
	written  int
	at       time.Time
}

// keys are the uses of idempotency keys, and the newest changes, read from the log as far as it was needed. Its user holds the lock.
type keys struct {
	lock lock
	read changelog.Position // up to here
	last changelog.Position // that was asked for last
	uses map[string]keyUse
	appended
}

// lockAndRead takes the lock, which its caller releases, and reads.
func (k *keys) lockAndRead(ctx context.Context, log Log, to changelog.Position) error {
	if err := k.lock.acquire(ctx); err != nil {
		return ErrNotReady
	}
	err := k.readTo(ctx, log, to)
	if err != nil {
		k.lock.release()
	}
	return err
}

// readTo adds the log up to a position. The first time it reads all of it.
func (k *keys) readTo(ctx context.Context, log Log, to changelog.Position) error {
	if k.uses == nil || k.last.Epoch != to.Epoch || to.Revision < k.read.Revision {
		k.uses, k.read, k.appended = make(map[string]keyUse), changelog.Position{}, appended{}
		k.last.Epoch = to.Epoch // a reading that is interrupted is continued
	}
	if k.read.Revision < to.Revision {
		for r, err := range log.Read(ctx, k.read, to.Revision) {
			if err != nil {
				return fmt.Errorf("%w: the idempotency keys in the log: %w", ErrNotReady, err)
			}
			k.use(r)
			k.appended.add(r)
			k.read = r.Position()
		}
	}
	k.last = to
	return nil
}

func (k *keys) use(r changelog.Record) {
	text, ok := strings.CutPrefix(r.OpID, keyPrefix+".")
	if !ok {
		return
	}
	fields := strings.Split(text, ".")
	if len(fields) != 4 {
		return
	}
	part, err := strconv.Atoi(fields[2])
	rest, err2 := strconv.Atoi(fields[3])
	if err != nil || err2 != nil {
		return
	}
	use := k.uses[fields[0]]
	use.command, use.parts, use.rest, use.position, use.at = fields[1], part, rest, r.Position(), r.Time
	if use.written++; use.op == "" {
		use.op = r.OpID
	}
	k.uses[fields[0]] = use
}

// repeated reports whether the log has all of the command already, which is then its result. It refuses a key that was used for
// something else, or too long ago.
func (x *execution) repeated(ctx context.Context, log Log, state decide.State) (bool, error) {
	if err := x.keys.lockAndRead(ctx, log, state.Position()); err != nil {
		return false, err
	}
	defer x.keys.lock.release()
	use, used := x.keys.uses[x.keyed.key]
	switch {
	case !used:
		return false, nil
	case use.command != x.keyed.command:
		return false, &decide.Refusal{Cause: decide.CauseKeyReused, Detail: "The idempotency key was used for something else: choose another one."}
	case time.Since(use.at) > KeyLifetime:
		return false, &decide.Refusal{Cause: decide.CauseKeyExpired, Detail: fmt.Sprintf("The idempotency key was used more than %s ago, at revision %s: "+
			"choose another one.", KeyLifetime, use.position.Token())}
	}
	x.keyed.parts = use.parts
	x.keyed.done = Result{Position: use.position, Document: use.position.Token(), OpID: use.op, Written: use.written}
	if use.rest > 0 {
		return false, nil // what is missing follows
	}
	x.result = x.keyed.done
	return true, nil
}
