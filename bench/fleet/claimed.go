package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/document"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/follow"
	"github.com/flagside/flagside/sync/status"
)

// crowd is the reports of sidecars that there are not. It follows the log once, and reports for each of them when it has applied something.
type crowd struct {
	conn    *flagsync.Conn
	boots   []string
	share   func() uint32 // of the fleet that is to acknowledge changes, by the last heartbeat
	stop    context.CancelFunc
	running sync.WaitGroup

	documents map[document.ID]document.Document // of the follower
	edit      *changelog.StateEdit              // likewise

	mu       sync.Mutex
	n        uint64 // of the last report of each
	position changelog.Position
	digest   changelog.Digest
	err      error // of the first report that could not be sent
}

// startCrowd has so many report who they are, and then every ten seconds, as sidecars do.
func (b *bench) startCrowd(ctx context.Context, size int) (*crowd, error) {
	ctx, stop := context.WithCancel(ctx)
	c := &crowd{stop: stop, documents: make(map[document.ID]document.Document), edit: changelog.State{}.Edit()}
	for range size {
		c.boots = append(c.boots, status.NewBoot())
	}
	var err error
	c.conn, err = flagsync.Connect(ctx, flagsync.ConnectOptions{
		URL: "nats://" + b.publisher.NATS, Environment: environment, User: environment, InboxPrefix: "_SC." + environment + "." + status.NewBoot(),
		Keyring: changelog.NewKeyring(b.trust), Name: "crowd", Logger: zerolog.Nop(),
	})
	if err != nil {
		return c, err
	}
	follower, err := follow.New(c.conn, c, follow.Options{Environment: environment, Logger: zerolog.Nop()})
	if err != nil {
		return c, err
	}
	c.share = func() uint32 { return follower.Status().AckShare }
	c.running.Go(func() { _ = follower.Run(ctx) }) // fails only when the connection is closed, which ends it
	c.running.Go(func() { c.goOn(ctx) })
	return c, nil
}

// goOn reports for everyone, evenly over the time between two reports of one.
func (c *crowd) goOn(ctx context.Context) {
	pause := time.NewTicker(10 * time.Millisecond)
	defer pause.Stop()
	began, sent := time.Now(), 0
	for {
		select {
		case now := <-pause.C: // a busy machine is late for some
			for ; sent < int(now.Sub(began)*time.Duration(len(c.boots))/status.Interval); sent++ {
				c.send(status.KindState, c.boots[sent%len(c.boots)])
			}
		case <-ctx.Done():
			return
		}
	}
}

// report sends so many whole reports, a thousand every 20 milliseconds.
func (c *crowd) report(ctx context.Context, reports int) error {
	for i := range reports {
		c.send(status.KindState, c.boots[i%len(c.boots)])
		if i%1000 == 999 {
			time.Sleep(20 * time.Millisecond)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return errors.Join(c.err, ctx.Err())
}

// send sends a report for one of them, if there is something to report.
func (c *crowd) send(kind status.Kind, boot string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.position.Epoch == (changelog.Position{}).Epoch {
		return
	}
	c.n++
	r := claim(kind, boot, c.position, c.digest)
	r.N = c.n
	if err := status.Send(c.conn, environment, r); err != nil && c.err == nil {
		c.err = fmt.Errorf("report: %w", err)
	}
}

// claim returns a report as sidecars make it.
func claim(kind status.Kind, boot string, position changelog.Position, digest changelog.Digest) status.Report {
	r := status.Report{Kind: kind, Boot: boot, N: 1, Position: position, State: digest}
	if kind != status.KindState {
		return r
	}
	r.Identity = status.Identity{
		Pod: "claimed-" + boot, Namespace: "claimed", Node: "node-17", Zone: "zone-b", Application: "claimed", ApplicationVersion: "2.4.1", Program: "devel",
	}
	age := int64(250)
	r.Serving, r.AgeMs, r.UpMs, r.Clients, r.Flags = "live", &age, 1000, map[string]int{"ofrep": 3}, 100
	return r
}

func (c *crowd) close() {
	if c == nil {
		return
	}
	c.stop()
	c.running.Wait()
	if c.conn != nil {
		c.conn.Close()
	}
}

// Position implements [follow.Target].
func (c *crowd) Position() changelog.Position { return c.position }

// StateDigest implements [follow.Target].
func (c *crowd) StateDigest() changelog.Digest { return c.digest }

// Synced implements [follow.Target].
func (c *crowd) Synced() {}

// Load implements [follow.Target].
func (c *crowd) Load(s *changelog.SnapshotReader) error {
	for {
		d, err := s.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		c.add(d)
	}
	c.serve(s.Header().Head.Position, status.KindState)
	return nil
}

// Apply implements [follow.Target].
func (c *crowd) Apply(transactions []changelog.Transaction) error {
	for _, tx := range transactions {
		for _, r := range tx {
			c.take(r)
		}
		c.serve(tx.Position(), status.KindAck)
	}
	return nil
}

func (c *crowd) take(r changelog.Record) {
	if r.Kind == document.KindEpoch {
		return
	}
	if old, ok := c.documents[r.ID()]; ok {
		c.edit.Remove(old)
	}
	delete(c.documents, r.ID())
	if !r.Delete {
		c.add(r.Document())
	}
}

func (c *crowd) add(d document.Document) {
	c.documents[d.ID()] = d
	c.edit.Add(d)
}

// serve stands at a position from now on, and reports it: everyone at first, and then those who are to acknowledge changes.
func (c *crowd) serve(position changelog.Position, kind status.Kind) {
	state := c.edit.State()
	c.edit = state.Edit()
	c.mu.Lock()
	first := c.position.Epoch != position.Epoch
	c.position, c.digest = position, state.Digest()
	c.mu.Unlock()
	if first {
		kind = status.KindState
	}
	for _, boot := range c.boots {
		if kind != status.KindAck || status.Within(boot, c.share()) {
			c.send(kind, boot)
		}
	}
}
