package e2e_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flagside/flagside/internal/faultnet"
	"github.com/flagside/flagside/internal/process"
)

// A sidecar is killed again and again, at any moment, while flags change and are asked for, and started with and without the log: it
// always comes back with its files, and never knows less than it has said before, so that a kill switch never comes back on.
func TestSidecarKilledAgainAndAgain(t *testing.T) {
	t.Parallel()
	rounds := 20
	if os.Getenv("FLAGSIDE_SOAK") != "" {
		rounds = 200
	}
	s := newSystem(t)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	t.Cleanup(cancel)
	s.ctx = ctx
	s.startPublisher()
	s.createEnvironment("prod")
	network := faultnet.Start(t, s.nats)
	s.nats = network.Addr()
	w := &watched{system: s, dir: t.TempDir()}
	changing, stop := context.WithCancel(s.ctx)
	var writing sync.WaitGroup
	writing.Go(func() { w.change(changing) })
	w.start()
	s.awaitReady(w.sidecar)
	fromDisk := 0
	for round := range rounds {
		w.load(time.Duration(rand.N(300)) * time.Millisecond)
		cut := round%2 == 1
		if cut {
			network.Refuse(true)
			network.Cut()
			fromDisk++
		}
		w.start()
		s.awaitReady(w.sidecar)
		w.ask()
		network.Refuse(false)
		if round == rounds/2 {
			w.off.Store(true)
		}
		if t.Failed() {
			t.Fatalf("in round %d\n%s", round, w.sidecar.Output())
		}
	}
	stop()
	writing.Wait()
	t.Logf("%d kills, %d of them followed by a start without the log; %d changes, %d answers", rounds, fromDisk, w.written.Load(), w.answers.Load())
	s.awaitValue(w.sidecar, "counter", strconv.FormatInt(w.written.Load(), 10))
	s.wantAnswer(w.sidecar, "switch", http.StatusOK, "false")
}

// watched is a sidecar that is replaced by another over the same files, and what was ever heard of it.
type watched struct {
	*system
	dir     string
	sidecar *process.Sidecar
	written atomic.Int64
	answers atomic.Int64
	off     atomic.Bool // the switch is to go off

	mu      sync.Mutex
	counter int64
	seenOff bool
}

func (w *watched) start() {
	w.t.Helper()
	if w.sidecar != nil {
		w.sidecar.Kill()
	}
	w.sidecar = w.startSidecar("prod", w.dir)
}

// change counts a flag up, and turns the switch off once that is wanted.
func (w *watched) change(ctx context.Context) {
	var counter, toggle string
	write := func(key, etag, value string) string {
		document := fmt.Sprintf(`{"state":"ENABLED","variants":{"only":%s},"defaultVariant":"only"}`, value)
		etag, err := w.publisher.PutFlag(ctx, "prod", key, etag, []byte(document))
		if err != nil && ctx.Err() == nil {
			w.t.Error(err)
		}
		return etag
	}
	toggle = write("switch", toggle, "true")
	for n, off := int64(0), false; ctx.Err() == nil; n++ {
		// Without the context: a write that is broken off would be unknown.
		document := fmt.Appendf(nil, `{"state":"ENABLED","variants":{"only":%d},"defaultVariant":"only"}`, n)
		etag, err := w.publisher.PutFlag(w.ctx, "prod", "counter", counter, document)
		if err != nil {
			w.t.Error(err)
			return
		}
		counter = etag
		w.written.Store(n)
		if w.off.Load() && !off {
			write("switch", toggle, "false")
			off = true
		}
		time.Sleep(time.Millisecond)
	}
}

// load asks without a break until the sidecar is killed in the middle of it.
func (w *watched) load(d time.Duration) {
	w.t.Helper()
	var asking sync.WaitGroup
	end := time.Now().Add(d)
	asking.Go(func() {
		for time.Now().Before(end.Add(20 * time.Millisecond)) {
			_ = w.note() // fails once it is killed
		}
	})
	time.Sleep(time.Until(end))
	w.sidecar.Kill()
	asking.Wait()
}

// ask asks several times; every request must be answered.
func (w *watched) ask() {
	w.t.Helper()
	for range 10 {
		if err := w.note(); err != nil {
			w.t.Errorf("after the start: %v", err)
		}
	}
}

// note asks for both flags and compares the answers with all before.
func (w *watched) note() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	counter, err := w.sidecar.Evaluate(w.ctx, "counter", `{}`)
	if err != nil {
		return err
	}
	toggle, err := w.sidecar.Evaluate(w.ctx, "switch", `{}`)
	if err != nil {
		return err
	}
	w.answers.Add(2)
	value, err := strconv.ParseInt(string(counter.Value), 10, 64)
	if err != nil && w.counter > 0 {
		w.t.Errorf("after %d the counter answered %+v", w.counter, counter)
	}
	if err == nil && value < w.counter {
		w.t.Errorf("after %d came %d", w.counter, value)
	}
	w.counter = max(w.counter, value)
	on := string(toggle.Value) != "false"
	if w.seenOff && on {
		w.t.Errorf("the switch was off and answers %+v", toggle)
	}
	w.seenOff = w.seenOff || !on
	return nil
}
