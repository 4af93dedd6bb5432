package reporting_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flagside/flagside/internal/sidecar/reporting"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/status"
)

// process is a process that is reported about, in a bubble of its own.
type process struct {
	*reporting.Reporter

	boot string

	mu      sync.Mutex // guards everything that follows
	changed chan struct{}
	served  reporting.Served
	share   uint32
	refuse  error
	sent    []sent
}

type sent struct {
	status.Report
	at time.Time
}

func newProcess() *process {
	p := &process{changed: make(chan struct{}), share: status.WholeShare}
	locked := func(do func()) {
		p.mu.Lock()
		defer p.mu.Unlock()
		do()
	}
	p.boot = status.NewBoot()
	p.Reporter = reporting.New(reporting.Options{
		Boot:    p.boot,
		Changed: func() (c <-chan struct{}) { locked(func() { c = p.changed }); return c },
		Served:  func() (s reporting.Served) { locked(func() { s = p.served }); return s },
		Share:   func() (s uint32) { locked(func() { s = p.share }); return s },
		State: func() (r status.Report) {
			locked(func() { r = status.Report{Serving: "live", Position: p.served.Position} })
			return r
		},
		Send: func(r status.Report) (err error) {
			locked(func() {
				if err = p.refuse; err == nil {
					p.sent = append(p.sent, sent{r, time.Now()})
				}
			})
			return err
		},
	})
	return p
}

// serve has the process serve a revision.
func (p *process) serve(revision uint64, refused bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.served = reporting.Served{Position: at(revision), Refused: refused}
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *process) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}

// take returns what was sent since it was called last.
func (p *process) take() []sent {
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	all := p.sent
	p.sent = nil
	return all
}

func at(revision uint64) changelog.Position {
	return changelog.Position{Epoch: "00112233445566778899aabbccddeeff", Revision: revision}
}

// reporting runs a process that serves revision 1 and has reported that, and ends it after the test.
func running(t *testing.T, test func(p *process)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := newProcess()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- p.Run(ctx) }()
		p.serve(1, false)
		if first := p.take(); len(first) != 1 || first[0].Kind != status.KindState || first[0].Position != at(1) {
			t.Errorf("at first it sends %+v", first)
		}
		time.Sleep(100 * time.Millisecond)
		test(p)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// Whole reports come every ten seconds, never more than twelve apart, and each has a higher number.
func TestReportsComeAgainAndAgain(t *testing.T) {
	t.Parallel()
	running(t, func(p *process) {
		began := time.Now().Add(-100 * time.Millisecond)
		time.Sleep(10 * time.Minute)
		all := p.take()
		if len(all) < 55 || len(all) > 65 {
			t.Errorf("%d reports in ten minutes", len(all))
		}
		last, n := began, uint64(1)
		pauses := make(map[time.Duration]bool)
		for _, r := range all {
			pause := r.at.Sub(last)
			if pause < 8*time.Second || pause > 12*time.Second || r.N != n+1 || r.Boot != p.boot || r.Kind != status.KindState {
				t.Fatalf("%+v after %s", r, pause)
			}
			last, n = r.at, r.N
			pauses[pause] = true
		}
		if len(pauses) < 10 {
			t.Error("the pauses are not jittered")
		}
	})
}

// A revision is acknowledged at once; of many within 50 ms the newest is, so that no more than 20 a second are sent.
func TestRevisionsAreAcknowledged(t *testing.T) {
	t.Parallel()
	running(t, func(p *process) {
		began := time.Now()
		p.serve(2, false)
		if all := p.take(); len(all) != 1 || all[0].Kind != status.KindAck || all[0].Position != at(2) || all[0].at != began {
			t.Fatalf("sent %+v", all)
		}
		for revision := uint64(3); revision <= 1002; revision++ {
			p.serve(revision, false)
			time.Sleep(time.Millisecond)
		}
		time.Sleep(50 * time.Millisecond)
		all := p.take()
		if len(all) < 15 || len(all) > 21 {
			t.Errorf("%d acknowledgements of a thousand revisions within a second", len(all))
		}
		if last := all[len(all)-1]; last.Position != at(1002) {
			t.Errorf("the last one is of %+v", last.Position)
		}
	})
}

// Who does not belong to the share acknowledges nothing, and begins within a second when it does.
func TestOnlyTheShareAcknowledges(t *testing.T) {
	t.Parallel()
	running(t, func(p *process) {
		p.set(func() { p.share = 0 })
		p.serve(2, false)
		time.Sleep(3 * time.Second)
		if all := p.take(); len(all) != 0 {
			t.Fatalf("sent %+v", all)
		}
		p.set(func() { p.share = status.WholeShare })
		time.Sleep(time.Second)
		if all := p.take(); len(all) != 1 || all[0].Position != at(2) {
			t.Fatalf("sent %+v", all)
		}
	})
}

// Where the newest version of a document is not served, an acknowledgement would say too much: a whole report says what is missing.
func TestRefusedDocumentsAreReported(t *testing.T) {
	t.Parallel()
	running(t, func(p *process) {
		p.serve(2, true)
		if all := p.take(); len(all) != 1 || all[0].Kind != status.KindState || all[0].Position != at(2) {
			t.Fatalf("sent %+v", all)
		}
	})
}

// What has changed is reported within two seconds, and at most once a second.
func TestChangesAreReported(t *testing.T) {
	t.Parallel()
	running(t, func(p *process) {
		p.Note("one")
		time.Sleep(2 * time.Second)
		if all := p.take(); len(all) != 1 || all[0].Kind != status.KindState {
			t.Fatalf("sent %+v", all)
		}
		p.Note("one")
		time.Sleep(2 * time.Second)
		if all := p.take(); len(all) != 0 {
			t.Fatalf("sent %+v although nothing has changed", all)
		}
		for i := range 60 {
			p.Note([]string{"two", "three"}[i%2])
			time.Sleep(100 * time.Millisecond)
		}
		if all := p.take(); len(all) < 2 || len(all) > 7 {
			t.Errorf("%d reports of changes in six seconds", len(all))
		}
	})
}

// While nothing can be sent it is tried once a second, and what is served then is reported; nothing is kept for later.
func TestNothingIsKeptForLater(t *testing.T) {
	t.Parallel()
	running(t, func(p *process) {
		p.set(func() { p.refuse = errors.New("no connection") })
		for revision := uint64(2); revision < 200; revision++ {
			p.serve(revision, false)
			time.Sleep(100 * time.Millisecond)
		}
		p.set(func() { p.refuse = nil })
		time.Sleep(2 * time.Second)
		all := p.take()
		if len(all) == 0 || len(all) > 2 || all[len(all)-1].Position != at(199) {
			t.Errorf("sent %+v", all)
		}
	})
}

func TestItSaysGoodBye(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProcess()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- p.Run(ctx) }()
		time.Sleep(time.Second) // nothing is served, which is reported all the same
		p.take()
		cancel()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		if all := p.take(); len(all) != 1 || all[0].Kind != status.KindBye || all[0].N != 2 {
			t.Errorf("sent %+v", all)
		}
	})
}
