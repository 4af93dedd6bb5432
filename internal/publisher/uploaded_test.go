package publisher_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/publisher/api"
)

// inflated returns a snapshot with the genuine header of another one, which announces more documents, and so many of half a megabyte that
// no publisher signed.
func inflated(t *testing.T, genuine []byte, documents int) []byte {
	t.Helper()
	magic, rest, _ := bytes.Cut(genuine, []byte("\n"))
	line, _, _ := bytes.Cut(rest, []byte("\n"))
	var header map[string]any
	if err := json.Unmarshal(line, &header); err != nil {
		t.Fatal(err)
	}
	header["count"] = 1 << 40
	line, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	out := bytes.NewBuffer(bytes.Join([][]byte{magic, line, nil}, []byte("\n")))
	zip, err := zstd.NewWriter(out, zstd.WithWindowSize(1<<20))
	if err != nil {
		t.Fatal(err)
	}
	body := strings.Repeat("a", 500<<10)
	for i := range documents {
		if _, err := fmt.Fprintf(zip, `{"kind":"flag","key":"f%d","revision":3,"body":{"x":"%s"}}`+"\n", i, body); err != nil {
			t.Fatal(err)
		}
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(out.Bytes())
	return append(out.Bytes(), sum[:]...)
}

// TestASnapshotThatUnfoldsTakesLittleMemory uploads a few hundred kilobytes that unfold into two gigabytes.
func TestASnapshotThatUnfoldsTakesLittleMemory(t *testing.T) { // not parallel: it looks at the memory of the process
	if testing.Short() {
		t.Skip("-short: looks at the memory of the process, which go test without it does")
	}
	server := natstest.Start(t)
	r := governedOn(t, server)
	r.create("prod")
	r.agreeAndApply(r.propose("f", ""))
	forged := inflated(t, published(t, server, r, "f"), 4000)
	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	refused := make(chan error, 1)
	go func() {
		_, err := r.as(secretOf("editor")).RestoreEnvironment(t.Context(), "prod", forged, api.RestoreQuery{DryRun: true}, api.RestoreHeaders{})
		refused <- err
	}()
	peak := uint64(0)
	for looks := time.NewTicker(20 * time.Millisecond); ; {
		select {
		case <-looks.C:
			runtime.ReadMemStats(&now)
			peak = max(peak, now.HeapInuse)
			continue
		case err := <-refused:
			if err == nil || !strings.Contains(err.Error(), "more than") {
				t.Errorf("refused with %v", err)
			}
		}
		looks.Stop()
		break
	}
	const most = 256 << 20 // 2 GB were taken
	if grown := int64(peak) - int64(before.HeapInuse); grown > most {
		t.Errorf("%d bytes of upload made the heap %d MB larger, want at most %d", len(forged), grown>>20, most>>20)
	}
}
