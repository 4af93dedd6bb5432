package kubernetestest

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/flagside/flagside/internal/kubernetes"
)

// objects are the custom objects and the Events of a server, and what became of them since a version. The lock of the server guards them.
type objects struct {
	stored    map[string]map[string]any // by group/version/namespace/plural/name
	events    map[string]map[string]any // by namespace/name
	base      map[string]map[string]any // what was stored before the first of log
	log       []change
	compacted int           // the version that watches can go on behind
	changed   chan struct{} // closed at the next change
	dropped   chan struct{} // closed to end all watches
	bookmarks time.Duration
}

func newObjects() objects {
	return objects{
		stored: map[string]map[string]any{}, events: map[string]map[string]any{}, changed: make(chan struct{}), dropped: make(chan struct{}),
		bookmarks: time.Minute,
	}
}

// change is one event of watches.
type change struct {
	version int
	folder  string // group/version/namespace/plural/
	kind    kubernetes.ChangeType
	object  map[string]any
}

func folderOf(r kubernetes.Resource) string {
	return strings.Join([]string{r.Group, r.Version, r.Namespace, r.Plural, ""}, "/")
}

// PutObject stores a custom object, as kubectl apply does. The spec is JSON. One that is the same already gets no new version.
func (s *Server) PutObject(tb testing.TB, r kubernetes.Resource, name, spec string) {
	tb.Helper()
	var parsed any
	if err := json.Unmarshal([]byte(spec), &parsed); err != nil {
		tb.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	at := folderOf(r) + name
	before, exists := s.objects.stored[at]
	kind, uid := kubernetes.Added, "uid-"+strconv.Itoa(s.version)
	if exists {
		kind, uid = kubernetes.Modified, before["metadata"].(map[string]any)["uid"].(string)
		if text, err := json.Marshal(before["spec"], json.Deterministic(true)); err == nil {
			if now, err := json.Marshal(parsed, json.Deterministic(true)); err == nil && string(now) == string(text) {
				return
			}
		}
	}
	object := map[string]any{
		"apiVersion": r.Group + "/" + r.Version, "kind": "FeatureFlag", "spec": parsed,
		"metadata": map[string]any{"namespace": r.Namespace, "name": name, "uid": uid, "resourceVersion": s.nextVersion()},
	}
	s.objects.stored[at] = object
	s.happened(folderOf(r), kind, object)
}

// DeleteObject removes a custom object.
func (s *Server) DeleteObject(r kubernetes.Resource, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := folderOf(r) + name
	object, exists := s.objects.stored[at]
	if !exists {
		return
	}
	delete(s.objects.stored, at)
	gone := maps.Clone(object)
	metadata := maps.Clone(object["metadata"].(map[string]any))
	metadata["resourceVersion"] = s.nextVersion() // of the deletion
	gone["metadata"] = metadata
	s.happened(folderOf(r), kubernetes.Deleted, gone)
}

// happened tells watches. The caller holds mu.
func (s *Server) happened(folder string, kind kubernetes.ChangeType, object map[string]any) {
	s.objects.log = append(s.objects.log, change{s.version, folder, kind, object})
	close(s.objects.changed)
	s.objects.changed = make(chan struct{})
}

// Compact forgets what has happened: watches that go on behind an older version are refused with 410.
func (s *Server) Compact() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.objects.log, s.objects.compacted, s.objects.base = nil, s.version, maps.Clone(s.objects.stored)
}

// DropWatches ends the connections of all watches.
func (s *Server) DropWatches() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.objects.dropped)
	s.objects.dropped = make(chan struct{})
}

// SetBookmarks says how often watches are told the version that they are at.
func (s *Server) SetBookmarks(every time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.objects.bookmarks = every
}

// StoredEvent is an Event as far as tests look at it.
type StoredEvent struct {
	Object, Type, Reason, Message string
	Count                         int
}

// Events returns the Events of a namespace, by object, reason and message.
func (s *Server) Events(tb testing.TB, namespace string) (list []StoredEvent) {
	tb.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, at := range slices.Sorted(maps.Keys(s.objects.events)) {
		if !strings.HasPrefix(at, namespace+"/") {
			continue
		}
		e := s.objects.events[at]
		count, _ := e["count"].(float64)
		list = append(list, StoredEvent{
			Object: fmt.Sprint(e["involvedObject"].(map[string]any)["name"]), Type: fmt.Sprint(e["type"]), Reason: fmt.Sprint(e["reason"]),
			Message: fmt.Sprint(e["message"]), Count: int(count),
		})
	}
	return list
}

var (
	objectPath = regexp.MustCompile(`^/apis/([a-z0-9.-]+)/([a-z0-9]+)/namespaces/([a-z0-9-]+)/([a-z]+)$`)
	eventName  = regexp.MustCompile(`^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$`)
	eventPath  = regexp.MustCompile(`^/api/v1/namespaces/([a-z0-9-]+)/events(?:/([a-z0-9.-]+))?$`)
)

// handleObjects does what a request asks for that is about custom objects or Events. The caller holds mu.
func (s *Server) handleObjects(r *http.Request) (code int, object map[string]any, no *refusal, known bool) {
	if parts := objectPath.FindStringSubmatch(r.URL.Path); parts != nil && r.Method == http.MethodGet {
		code, object, no = s.list(r, strings.Join(parts[1:], "/")+"/")
		return code, object, no, true
	}
	if parts := eventPath.FindStringSubmatch(r.URL.Path); parts != nil {
		code, object, no = s.event(r, parts[1], parts[2])
		return code, object, no, true
	}
	return 0, nil, nil, false
}

// list answers with a page of a list. Its continuation is of the version that the first page had, and expires with what happened since.
func (s *Server) list(r *http.Request, folder string) (code int, object map[string]any, no *refusal) {
	query := r.URL.Query()
	limit, err := strconv.Atoi(query.Get("limit"))
	if err != nil || limit <= 0 {
		limit = 500
	}
	version, after := s.version, ""
	if token := query.Get("continue"); token != "" {
		number, name, _ := strings.Cut(token, "|")
		if version, err = strconv.Atoi(number); err != nil {
			return 0, nil, &refusal{http.StatusBadRequest, "BadRequest", "continue key is not valid"}
		}
		if after = name; version < s.objects.compacted {
			return 0, nil, &refusal{http.StatusGone, "Expired", "The provided continue parameter is too old to display a consistent list result."}
		}
	}
	all := s.at(folder, version)
	metadata := map[string]any{"resourceVersion": strconv.Itoa(version)}
	items := []any{}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if name <= after {
			continue
		}
		if len(items) == limit {
			metadata["continue"] = fmt.Sprintf("%d|%s", version, after)
			break
		}
		items, after = append(items, all[name]), name
	}
	return http.StatusOK, map[string]any{"kind": "List", "apiVersion": "v1", "metadata": metadata, "items": items}, nil
}

// at returns the objects of a folder as they were at a version that is not compacted, by name.
func (s *Server) at(folder string, version int) map[string]any {
	all := map[string]any{}
	for at, object := range s.objects.base {
		if name, ok := strings.CutPrefix(at, folder); ok {
			all[name] = object
		}
	}
	for _, c := range s.objects.log {
		if c.folder != folder || c.version > version {
			continue
		}
		name := c.object["metadata"].(map[string]any)["name"].(string)
		if all[name] = c.object; c.kind == kubernetes.Deleted {
			delete(all, name)
		}
	}
	return all
}

// event creates an Event, or counts one.
func (s *Server) event(r *http.Request, namespace, name string) (code int, object map[string]any, no *refusal) {
	var sent map[string]any
	if err := json.UnmarshalRead(r.Body, &sent); err != nil {
		return 0, nil, &refusal{http.StatusBadRequest, "BadRequest", "the object cannot be decoded"}
	}
	switch {
	case r.Method == http.MethodPost && name == "":
		metadata, _ := sent["metadata"].(map[string]any)
		about, _ := sent["involvedObject"].(map[string]any)
		at := fmt.Sprint(namespace, "/", metadata["name"])
		switch text, _ := metadata["name"].(string); {
		case !eventName.MatchString(text) || len(text) > 253:
			return 0, nil, &refusal{http.StatusUnprocessableEntity, "Invalid", "metadata.name: Invalid value: a lowercase RFC 1123 subdomain is wanted"}
		case metadata["namespace"] != namespace || about["namespace"] != namespace:
			return 0, nil, &refusal{http.StatusUnprocessableEntity, "Invalid", "involvedObject.namespace: Invalid value: does not match event.namespace"}
		case s.objects.events[at] != nil:
			return 0, nil, &refusal{http.StatusConflict, "AlreadyExists", fmt.Sprintf("events %q already exists", metadata["name"])}
		}
		s.objects.events[at] = sent
		return http.StatusCreated, sent, nil
	case r.Method == http.MethodPatch && r.Header.Get("Content-Type") == "application/merge-patch+json":
		stored := s.objects.events[namespace+"/"+name]
		if stored == nil {
			return 0, nil, notFound("events", name)
		}
		maps.Copy(stored, sent)
		return http.StatusOK, stored, nil
	}
	return 0, nil, &refusal{http.StatusMethodNotAllowed, "MethodNotAllowed", "the server does not allow this method on the requested resource"}
}
