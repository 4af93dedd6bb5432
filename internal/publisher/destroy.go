package publisher

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/flagside/flagside/internal/lifecycle"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/control"
	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/internal/publisher/control/requests"
	"github.com/flagside/flagside/internal/publisher/natsserver"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/queue"
	"github.com/flagside/flagside/sync/writer"
)

// Destroyed is what became of an environment that was destroyed.
type Destroyed struct {
	// Control is the record of it in CONTROL, and Ledger the number of the one in the ledger; zero if they stood there before.
	Control changelog.Anchor
	Ledger  uint64
	// Deleted are the streams that were deleted, and Remaining those that the operator of another NATS server has to delete.
	Deleted   []natsserver.DeletedStream
	Remaining []string
	// Users are the names of NATS users that are for the environment alone.
	Users []string
}

// Destroy deletes the documents of an archived environment for good, with their history, and says what it touched. Its ledger stays, and its
// name is not given again. It runs beside the data directory, while no publisher does. With another NATS server it records the end, and leaves
// the streams to who operates that. Repeated, it completes what was interrupted.
func Destroy(ctx context.Context, o Options, name string, order writer.Order) (Destroyed, error) {
	done, err := destroy(ctx, o, name, order)
	if err != nil {
		return done, fmt.Errorf("destroy environment %s: %w", name, err)
	}
	return done, nil
}

func destroy(ctx context.Context, o Options, name string, order writer.Order) (done Destroyed, err error) {
	if err := errors.Join(flagsync.ValidateEnvironment(name), (decide.Origin{Reason: order.Reason}).Validate()); err != nil {
		return done, err
	}
	p, err := existing(o)
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, p.unlock()) }()
	return done, p.withLog(ctx, func(ctx context.Context, conn *flagsync.Conn) error {
		if err := done.record(ctx, conn, p.options.Replicas, name, order); err != nil {
			return err
		}
		done.Users = p.usersOf(name)
		return errors.Join(done.delete(ctx, p.server, name), done.deleteOwn(ctx, conn, name))
	})
}

// existing returns as much of a publisher as can reach the log of an installation that there is.
func existing(o Options) (*Publisher, error) {
	if o.NATS == "" && !exists(filepath.Join(o.DataDir, streamsDir)) {
		return nil, fmt.Errorf("%s has no streams: it is not the data directory of a publisher with the embedded NATS server", o.DataDir)
	}
	return reaching(o, &Publisher{})
}

// reaching completes as much of a publisher as can reach the log of an installation, which may be a new one.
func reaching(o Options, p *Publisher) (*Publisher, error) {
	o.AdminAddr, o.NATSAddr, o.AdminTokenFile = "127.0.0.1:0", "", ""
	if o.NATS == "" {
		o.NATSAddr = "127.0.0.1:0"
	}
	o, err := o.complete()
	if err != nil {
		return nil, err
	}
	p.options, p.logger = o, o.Logger
	for _, prepare := range []func() error{p.prepareDataDir, p.prepareKeys, p.prepareServer} {
		if err := prepare(); err != nil {
			return nil, errors.Join(err, p.unlock())
		}
	}
	return p, nil
}

// withLog calls do with a connection to the log, for which it starts the embedded server if there is one.
func (p *Publisher) withLog(ctx context.Context, do func(context.Context, *flagsync.Conn) error) (err error) {
	parts, ctx := lifecycle.New(ctx)
	defer func() { err = errors.Join(err, parts.Stop()) }()
	if p.server != nil {
		parts.Start(lifecycle.Part{Name: "publisher", Run: p.server.Run})
		if err := p.server.Ready(ctx); err != nil {
			return err
		}
	}
	conn, err := flagsync.Connect(ctx, p.connectOptions())
	if err != nil {
		return err
	}
	defer conn.Close()
	return do(ctx, conn)
}

// record says in CONTROL and in the ledger that the environment is destroyed.
func (d *Destroyed) record(ctx context.Context, conn *flagsync.Conn, replicas int, name string, order writer.Order) error {
	list, err := writer.OpenEnvironments(ctx, conn, replicas)
	if err != nil {
		return err
	}
	if d.Control, err = list.Destroy(ctx, name, order); err != nil {
		return err
	}
	act, err := destruction(ctx, list.Ledger(), name)
	if err != nil {
		return err
	}
	ledger, err := writer.OpenLedger(ctx, conn, writer.LedgerOf(name), replicas)
	if err != nil {
		return err
	}
	for e, err := range control.EventsOf(ctx, ledger, 1) {
		if err != nil || e.Type == requests.EventDestroyed {
			return err
		}
	}
	d.Ledger, err = control.AppendEvent(ctx, ledger, requests.Event{
		Type: requests.EventDestroyed, By: act.Actor, At: time.Now().UTC(), Text: act.Reason, Control: act.at,
	})
	return err
}

// act is a record of CONTROL, and where it is.
type act struct {
	access.Act

	at changelog.Anchor
}

// destruction returns the record of CONTROL that an environment is destroyed.
func destruction(ctx context.Context, journal *writer.Ledger, name string) (found act, err error) {
	for r, err := range journal.Read(ctx, 1) {
		if err != nil {
			return act{}, err
		}
		done, ok, err := access.DecodeAct(r)
		if err != nil {
			return act{}, err
		}
		if ok && done.Type == string(requests.EventDestroyed) && done.Environment == name {
			return act{done, changelog.Anchor{Sequence: r.Sequence, Digest: r.Digest}}, nil
		}
	}
	return act{}, fmt.Errorf("CONTROL has no record that %s is destroyed", name)
}

// delete deletes the streams with documents, if they are on the embedded server.
func (d *Destroyed) delete(ctx context.Context, server *natsserver.Server, name string) error {
	for _, stream := range writer.DocumentStreams(name) {
		if server == nil {
			d.Remaining = append(d.Remaining, stream)
			continue
		}
		deleted, existed, err := server.DeleteStream(ctx, stream)
		if err != nil {
			return err
		}
		if existed {
			d.Deleted = append(d.Deleted, deleted)
		}
	}
	return nil
}

// deleteOwn deletes the streams that lie in the account of publishers, who may do that on every server.
func (d *Destroyed) deleteOwn(ctx context.Context, conn *flagsync.Conn, name string) error {
	for _, stream := range flagsync.PublisherStreams(name) {
		deleted, existed, err := queue.Delete(ctx, conn, stream)
		if err != nil {
			return err
		}
		if existed {
			d.Deleted = append(d.Deleted, natsserver.DeletedStream{Name: stream, Messages: deleted.Messages, Bytes: deleted.Bytes})
		}
	}
	return nil
}

// usersOf returns the names of the NATS users that are for an environment alone. A file that cannot be read has none.
func (p *Publisher) usersOf(environment string) (names []string) {
	users, err := natsserver.ReadUsers(p.options.server().UsersFile)
	if err != nil {
		return nil
	}
	for _, user := range users {
		if slices.Equal(user.Environments, []string{environment}) {
			names = append(names, user.Name)
		}
	}
	return names
}
