package publisher_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/flagside/flagside/cache"
	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher/control"
	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/internal/publisher/control/requests"
	flagsync "github.com/flagside/flagside/sync"
)

// batchSize is how many documents the change has that a full disk cuts.
const batchSize = 5

// putTogether makes a change of several documents, which is one atomic batch.
func (r *running) putTogether() error {
	r.t.Helper()
	service, state := r.current()
	t := decide.Transfer{Epoch: state.Position().Epoch}
	for n := range batchSize {
		id := flagID(fmt.Sprint("together", n))
		t.Changes = append(t.Changes, document.Document{Kind: id.Kind, Key: id.Key, Body: flagBody("on", `,"metadata":{"x":"`+long[:6000]+`"}`)})
		t.Bases = append(t.Bases, requests.Base{Kind: id.Kind, Key: id.Key})
	}
	_, err := service.Do(r.t.Context(), decide.Origin{Actor: "tester", Owner: true}, t)
	return err
}

// together returns how many documents of the change the publisher has.
func (r *running) together() (found int) {
	r.t.Helper()
	for n := range batchSize {
		if r.ask(http.MethodGet, fmt.Sprint(flags, "/together", n), "").status == http.StatusOK {
			found++
		}
	}
	return found
}

// A change of several documents that a full disk cuts, wherever that is, is there as a whole or not at all once there is space: for the
// publisher, also one that restarts, and for sidecars. What is written next succeeds. With less than 13 pages the server finds no room to store
// the change aside; with up to 19 the log itself takes a part of it, and the rest is written when JetStream starts again.
func TestAFullDiskCutsABatch(t *testing.T) {
	t.Parallel()
	for pages := int64(7); pages <= 21; pages++ {
		if pages%3 != 2 && os.Getenv("FLAGSIDE_SOAK") != "1" {
			continue
		}
		for _, restarts := range []bool{false, true} {
			t.Run(fmt.Sprint(pages, " pages, restarts: ", restarts), func(t *testing.T) {
				t.Parallel()
				r, disk, o, sidecar := onSmallDisk(t)
				disk.Fill(t, pages*4096)
				acknowledged := r.putTogetherOnFull()
				if restarts {
					r.stop()
				}
				disk.Free(t)
				if restarts {
					r = start(t, o)
				}
				r.await("the next change", func() bool { return r.writes()["FLAGS"](0) == nil })
				found := r.together()
				t.Log("documents that are there:", found)
				r.wantTogether(found, acknowledged)
				if !restarts {
					r.wantSame(sidecar)
				}
				r.wantSame(followed(t, r))
				r.stop()
				again := start(t, o)
				if n := again.together(); n != found {
					t.Errorf("%d of %d documents before a restart, %d after it", found, batchSize, n)
				}
				again.wantWritten("FLAGS", 1)
			})
		}
	}
}

// putTogetherOnFull makes the change where the disk may have too little room for it, and reports whether it was acknowledged.
func (r *running) putTogetherOnFull() (acknowledged bool) {
	r.t.Helper()
	begin := time.Now()
	err := r.putTogether()
	if took := time.Since(begin); took > refusedWithin {
		r.t.Errorf("it took %s: %v", took, err)
	}
	undecided, _ := errors.AsType[*control.Undecided](err)
	if err != nil && (undecided == nil || !errors.Is(undecided.Cause, flagsync.ErrDiskFull)) {
		r.t.Errorf("it says: %v", err)
	}
	return err == nil
}

// wantTogether wants all documents of a change that was acknowledged, and else all or none.
func (r *running) wantTogether(found int, acknowledged bool) {
	r.t.Helper()
	if found != batchSize && (acknowledged || found != 0) {
		r.t.Errorf("%d of %d documents are there, acknowledged: %v", found, batchSize, acknowledged)
	}
}

// wantSame wants a sidecar to have what the publisher has.
func (r *running) wantSame(sidecar *cache.Store) {
	r.t.Helper()
	r.await("the sidecar", func() bool { return sidecar.View().Position().Revision == r.newest() })
	if rules, found := sidecar.View().Rules().Len(), r.together(); rules != found+2 { // and two flags besides
		r.t.Errorf("a sidecar has %d flags, the publisher %d", rules, found+2)
	}
}
