//go:build !race

package flagd_test

import (
	"bytes"
	"fmt"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/sidecar/changes"
	"github.com/flagside/flagside/internal/sidecar/flagd"
	"github.com/flagside/flagside/internal/sidecar/historytest"
	"github.com/flagside/flagside/internal/sidecar/resolver"
	"github.com/flagside/flagside/internal/waiting"
)

// taker is a client in the process that takes everything and keeps nothing.
type taker struct {
	header http.Header
	taken  *atomic.Int64
}

func (k taker) Header() http.Header { return k.header }

func (k taker) WriteHeader(int) {}

func (k taker) Write(p []byte) (int, error) {
	k.taken.Add(int64(len(p)))
	return len(p), nil
}

func (k taker) Flush() {}

func (k taker) SetReadDeadline(time.Time) error { return nil }

func (k taker) SetWriteDeadline(time.Time) error { return nil }

// The bytes of a document are shared between all that are sent it: a hundred streams and as many fetches of 1 MB allocate a few MB, not two hundred.
func TestStreamsShareTheBytesOfADocument(t *testing.T) {
	h := historytest.New(t)
	const size = 1 << 20
	var all []document.Document
	for i := range 16 {
		text := `"metadata":{"text":"` + strings.Repeat("x", size/16) + `"}`
		all = append(all, historytest.Flag("f"+strconv.Itoa(i), 1, text))
	}
	h.Commit(all...)
	r, err := resolver.New(resolver.Options{Views: h.Store, Metrics: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	counted, err := flagd.NewMetrics(prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	feed := changes.New(h.Store, r.Stale)
	go func() { _ = feed.Run(t.Context()) }()
	const budget = 32 << 20
	server := flagd.NewSync(flagd.Options{
		Resolver: r, Feed: feed, Documents: flagd.NewDocuments(h.Store, nil, zerolog.Nop()), Ready: func() bool { return true },
		Grace: patience, Budget: budget, Metrics: counted, Logger: zerolog.Nop(),
	})
	const clients = 100
	var taken atomic.Int64
	ask := func(procedure string) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "/flagd.sync.v1.FlagSyncService/"+procedure, bytes.NewReader(make([]byte, 5)))
		if err != nil {
			t.Error(err)
			return
		}
		request.ProtoMajor, request.ProtoMinor = 2, 0
		request.Header.Set("Content-Type", "application/grpc")
		server.Handler().ServeHTTP(taker{http.Header{}, &taken}, request)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var fetching sync.WaitGroup
	for range clients {
		go ask("SyncFlags")
		fetching.Go(func() { ask("FetchAllFlags") })
	}
	fetching.Wait()
	waiting.UntilNil(t, "all answers", func() error {
		if now := taken.Load(); now < 2*clients*size {
			return fmt.Errorf("%d of %d MB are taken", now>>20, 2*clients*size>>20)
		}
		return nil
	})
	runtime.ReadMemStats(&after)
	allocated := after.TotalAlloc - before.TotalAlloc
	t.Logf("%d MB are sent, and %d MB allocated", taken.Load()>>20, allocated>>20)
	if most := uint64(2 * clients * size / 8); allocated > most {
		t.Errorf("%d MB are allocated, want %d MB at most", allocated>>20, most>>20)
	}
}
