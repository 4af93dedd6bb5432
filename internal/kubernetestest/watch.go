package kubernetestest

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/flagside/flagside/internal/kubernetes"
)

// watch is a request to be told what happens in a folder behind a version.
type watch struct {
	folder string
	after  int
	until  time.Duration
}

// watchOf returns the watch that a request asks for, nil if it asks for something else, or may not. The caller holds mu.
func (s *Server) watchOf(r *http.Request) *watch {
	parts, query := objectPath.FindStringSubmatch(r.URL.Path), r.URL.Query()
	if parts == nil || query.Get("watch") == "" || r.Method != http.MethodGet || r.Header.Get("Authorization") != "Bearer "+s.token {
		return nil
	}
	after, err := strconv.Atoi(query.Get("resourceVersion"))
	seconds, _ := strconv.Atoi(query.Get("timeoutSeconds"))
	if err != nil || seconds <= 0 {
		return nil
	}
	return &watch{strings.Join(parts[1:], "/") + "/", after, time.Duration(seconds) * time.Second}
}

// stream answers a watch until its time is over, the client goes away, or a test ends it.
func (s *Server) stream(w http.ResponseWriter, r *http.Request, at *watch) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	send := func(kind kubernetes.ChangeType, object map[string]any) {
		_ = json.MarshalWrite(w, map[string]any{"type": kind, "object": object}, json.Deterministic(true))
		_, _ = w.Write([]byte("\n"))
	}
	flusher := w.(http.Flusher)
	flusher.Flush()
	ended := time.NewTimer(at.until)
	defer ended.Stop()
	s.mu.Lock()
	dropped, every := s.objects.dropped, s.objects.bookmarks
	s.mu.Unlock()
	bookmark := time.NewTicker(every)
	defer bookmark.Stop()
	for {
		s.mu.Lock()
		changes, version, changed, compacted := s.after(at), s.version, s.objects.changed, s.objects.compacted
		s.mu.Unlock()
		if at.after < compacted {
			send("ERROR", map[string]any{"kind": "Status", "status": "Failure", "reason": "Expired", "code": http.StatusGone, "message": "too old resource version"})
			return
		}
		for _, c := range changes {
			send(c.kind, c.object)
		}
		at.after = version
		flusher.Flush()
		select {
		case <-changed:
		case <-bookmark.C:
			send(kubernetes.Bookmark, map[string]any{"kind": "FeatureFlag", "metadata": map[string]any{"resourceVersion": strconv.Itoa(at.after)}})
		case <-dropped:
			panic(http.ErrAbortHandler)
		case <-ended.C:
			return
		case <-r.Context().Done():
			return
		}
	}
}

// after returns what happened that a watch was not told. The caller holds mu.
func (s *Server) after(at *watch) (list []change) {
	for _, c := range s.objects.log {
		if c.version > at.after && c.folder == at.folder {
			list = append(list, c)
		}
	}
	return list
}
