package sending_test

import (
	"fmt"
	"os"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/eval"
	counting "github.com/flagside/flagside/internal/sidecar/usage"
)

// An hour without NATS at 5,000 evaluations a second, of 300 flags by 4 applications: memory and disk stay within their bounds, and afterwards
// each evaluation was reported once, or is said to be lost.
func TestAnHourWithoutNATSAtFullSpeed(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: thousands of events, one after the other, which go test without it does")
	}
	const flags, second, room, memory = 300, 5_000, 16 << 20, 24 << 20
	var documents []document.Document
	for i := range flags {
		documents = append(documents, document.Document{
			Kind: document.KindFlag, Key: fmt.Sprintf("team-%d.feature-%d", i%7, i), Revision: uint64(i + 1),
			Body: []byte(`{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"on"}`),
		})
	}
	rules, problems := eval.New().Update(documents)
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	for name, dir := range map[string]string{"on disk": t.TempDir(), "in memory": ""} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, dir)
				w.set(true, false)
				stop := w.start(t)
				var results []eval.Result
				for _, f := range rules.Flags() {
					results = append(results, f.Evaluate(nil, time.Now()))
				}
				applications := []counting.Application{0, w.counts.Application([]byte("cart")), w.counts.Application([]byte("search")), w.counts.Application([]byte("mail"))}
				counted, before := 0, heap()
				for range 60 {
					for range 60 * second {
						result := &results[counted%flags]
						w.counts.Evaluation(result, counting.OutcomeOf(result), applications[counted/flags%len(applications)])
						counted++
					}
					time.Sleep(time.Minute)
				}
				if used := int64(heap()) - int64(before); used > memory {
					t.Errorf("%d bytes of memory", used)
				}
				size := int64(0)
				for _, file := range files(t, dir) {
					if info, err := os.Stat(file); err == nil {
						size += info.Size()
					}
				}
				if size > room {
					t.Errorf("%d bytes on disk", size)
				}
				w.set(false, false)
				time.Sleep(5 * time.Minute)
				stop()
				evaluations, lost := w.sums()
				if evaluations+lost != uint64(counted) || w.again > 0 {
					t.Errorf("%d evaluations reported and %d lost of %d, %d reports twice", evaluations, lost, counted, w.again)
				}
				if dir != "" && lost != 0 {
					t.Errorf("%d evaluations lost", lost)
				}
				t.Logf("%d evaluations, %d lost, %d bytes on disk", counted, lost, size)
			})
		})
	}
}

// heap returns how many bytes are in use.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
