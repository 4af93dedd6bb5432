package management

import (
	"fmt"
	"net/http"
	"runtime/pprof"
	"strconv"
	"time"
)

// How long a profile of the processor is collected, and how long writing any profile may take beyond that.
const (
	profileTime      = 30 * time.Second
	maxProfileTime   = 5 * time.Minute
	profileWriteTime = 30 * time.Second
)

// profile answers with a profile of the Go runtime by its name, in the form that go tool pprof reads: profile for the processor over the
// seconds of the query, heap, allocs, goroutine, threadcreate, block or mutex. Serving them with net/http/pprof would make the program larger
// by what it can compute from them, which the tool can do as well.
func profile(w http.ResponseWriter, r *http.Request, name string) {
	if name == "profile" {
		profileProcessor(w, r)
		return
	}
	found := pprof.Lookup(name)
	if found == nil {
		Refuse(w, http.StatusNotFound, "there is no such profile: profile, heap, allocs, goroutine, threadcreate, block and mutex are")
		return
	}
	extend(w, profileWriteTime)
	w.Header().Set("Content-Type", "application/octet-stream")
	_ = found.WriteTo(w, 0) // an error means that the client is gone
}

// profileProcessor answers with what the processor did in the next seconds.
func profileProcessor(w http.ResponseWriter, r *http.Request) {
	duration := profileTime
	if text := r.URL.Query().Get("seconds"); text != "" {
		seconds, err := strconv.Atoi(text)
		duration = time.Duration(seconds) * time.Second
		if err != nil || duration <= 0 || duration > maxProfileTime {
			Refuse(w, http.StatusBadRequest, fmt.Sprintf("seconds must be a number from 1 to %d", int(maxProfileTime.Seconds())))
			return
		}
	}
	extend(w, duration+profileWriteTime)
	w.Header().Set("Content-Type", "application/octet-stream")
	if err := pprof.StartCPUProfile(w); err != nil {
		Refuse(w, http.StatusConflict, "a profile of the processor is being collected already: try again when it is done")
		return
	}
	defer pprof.StopCPUProfile()
	timer := time.NewTimer(duration)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
	}
}

// extend moves the end of the time for an answer. Where that is impossible, the answer is cut short.
func extend(w http.ResponseWriter, duration time.Duration) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(duration))
}
