package publisher_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/api"
)

// watched is an open event stream of the console.
type watched struct {
	t     *testing.T
	lines *bufio.Scanner
	id    string // of the last event
	close context.CancelFunc
}

// liveEvent is an event of the stream.
type liveEvent struct {
	event string

	Environment, Revision, Actor, Request, Step string
	Documents                                   []struct{ Kind, Key string }
}

// watch opens the event stream of environments.
func (r *running) watch(cookie, last string, environments ...string) *watched {
	r.t.Helper()
	t := r.t.(*testing.T)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url+"/console/events?"+url.Values{"environment": environments}.Encode(), nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Cookie", cookie)
	if last != "" {
		request.Header.Set("Last-Event-ID", last)
	}
	response, err := r.http.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); _ = response.Body.Close() })
	if media := response.Header.Get("Content-Type"); response.StatusCode != http.StatusOK || media != api.EventStreamMedia || response.Header.Get("X-Accel-Buffering") != "no" {
		t.Fatalf("%d, %s", response.StatusCode, media)
	}
	return &watched{t: t, lines: bufio.NewScanner(response.Body), close: cancel}
}

// block returns the next event, or what comes in place of one; false at the end of the stream.
func (w *watched) block() (e liveEvent, ok bool) {
	w.t.Helper()
	for w.lines.Scan() {
		name, value, _ := strings.Cut(w.lines.Text(), ": ")
		switch name {
		case "id":
			w.id = value
		case "event":
			e.event = value
		case "data":
			if err := json.Unmarshal([]byte(value), &e); err != nil {
				w.t.Fatalf("%s: %v", value, err)
			}
		case "":
			return e, true
		}
	}
	return e, false
}

// begun reads up to where the stream says where it is.
func (w *watched) begun() (events []liveEvent) {
	w.t.Helper()
	for {
		e, ok := w.block()
		switch {
		case !ok:
			w.t.Fatalf("the stream ended: %v", w.lines.Err())
		case e.event == "":
			return events
		}
		events = append(events, e)
	}
}

// next waits for an event of a type, and returns it.
func (w *watched) next(event string) liveEvent {
	w.t.Helper()
	for {
		e, ok := w.block()
		if !ok {
			w.t.Fatalf("the stream ended before %s: %v", event, w.lines.Err())
		}
		if e.event == event {
			return e
		}
	}
}

// ended waits for the end of the stream.
func (w *watched) ended() {
	w.t.Helper()
	for {
		if _, ok := w.block(); !ok {
			break
		}
	}
	if err := w.lines.Err(); errors.Is(err, context.DeadlineExceeded) {
		w.t.Errorf("the stream goes on: %v", err)
	}
}

// A stream tells what moves in all its environments, on whichever publisher it was done, and never a document. A browser that comes back is told what it missed.
func TestWatching(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	one, other := governed(t, publisher.Options{NATS: server.URL()}), governed(t, publisher.Options{NATS: server.URL()})
	one.create("staging")
	one.create("trial")
	other.await("the other follows", func() bool { _, err := other.client.Environment(t.Context(), "trial"); return err == nil })
	cookie := one.signIn(secretOf("viewer"))
	w := one.watch(cookie, "", "staging")
	both := one.watch(cookie, "", "trial", "staging")
	if events := append(w.begun(), both.begun()...); len(events) != 0 || w.id != one.revision("staging") {
		t.Errorf("it begins at %s with %+v", w.id, events)
	}
	seen := other.put("staging", "f", flagBody("on", `,"description":"topsecret"`), absent())
	e := w.next("change")
	if e.Environment != "staging" || e.Revision != seen.Match.String() || e.Actor != "root" || len(e.Documents) != 1 || e.Documents[0].Kind != "flag" || e.Documents[0].Key != "f" || w.id != e.Revision {
		t.Errorf("%s: %+v", w.id, e)
	}
	if e := both.next("change"); e.Environment != "staging" || both.id != one.revision("trial")+","+seen.Match.String() {
		t.Errorf("%s: %+v", both.id, e)
	}
	opened, err := other.as(secretOf("editor")).OpenRequest(t.Context(), "staging", api.NewRequest{Command: api.Command{
		Type: "put", Key: "f", IfMatch: seen.Match.String(), Document: []byte(offDocument),
	}}, api.ChangeHeaders{})
	if err != nil {
		t.Fatal(err)
	}
	if e := w.next("request"); e.Request != opened.ID || e.Step != "request.opened" || e.Actor != "editor" || w.id != seen.Match.String() {
		t.Errorf("%s: %+v", w.id, e)
	}

	w.close()
	both.close()
	other.put("staging", "g", flagBody("on", ""), absent())
	last := other.put("staging", "h", flagBody("on", ""), absent())
	again := one.watch(cookie, w.id, "staging")
	if events := again.begun(); len(events) != 1 || events[0].event != "request" || events[0].Request != "" {
		t.Errorf("it goes on with %+v", events)
	}
	if g, h := again.next("change"), again.next("change"); g.Documents[0].Key != "g" || h.Documents[0].Key != "h" || h.Revision != last.Match.String() || again.id != h.Revision {
		t.Errorf("missed: %+v, %+v", g, h)
	}
}

// What a browser says of where it was is believed only if it was there: whatever else it says, it reads anew.
func TestLastEventID(t *testing.T) {
	t.Parallel()
	r := governed(t, publisher.Options{})
	r.create("staging")
	r.put("staging", "f", flagBody("on", ""), absent())
	cookie := r.signIn(secretOf("viewer"))
	here := r.revision("staging")
	epoch, _, _ := strings.Cut(here, "-")
	for _, last := range []string{
		"00000000-1", epoch + "-999999", epoch + "-18446744073709551615", epoch + "-0", epoch + "--1", epoch + "-01", "x", "-", here + "," + here, here + ",", strings.ToUpper(here) + "x",
		epoch, strings.Repeat("9", 5000), "%0a", "a b", epoch + "-1e3", "{}", "../../x",
	} {
		w := r.watch(cookie, last, "staging")
		events := w.begun()
		if len(events) != 1 || events[0].event != "reset" || events[0].Revision != here || w.id != here {
			t.Errorf("%.40q: %s, %+v", last, w.id, events)
		}
		w.close()
	}
	w := r.watch(cookie, epoch+"-1", "staging")
	w.begun()
	if e := w.next("change"); e.Documents[0].Key != "f" {
		t.Errorf("from the beginning: %+v", e)
	}
}

// With a new epoch a browser reads anew, also one that watches, or was away.
func TestWatchingOverANewEpoch(t *testing.T) {
	t.Parallel()
	r := governed(t, publisher.Options{})
	r.create("staging")
	r.put("staging", "f", flagBody("on", ""), absent())
	cookie := r.signIn(secretOf("viewer"))
	w := r.watch(cookie, "", "staging")
	w.begun()
	before := w.id
	if _, err := r.client.RecreateEnvironment(t.Context(), "staging", api.RecreateQuery{}, anyway("the disk is new")); err != nil {
		t.Fatal(err)
	}
	if e := w.next("reset"); e.Environment != "staging" || e.Revision == before || w.id != e.Revision {
		t.Errorf("%s: %+v", w.id, e)
	}
	again := r.watch(cookie, before, "staging")
	if events := again.begun(); len(events) != 1 || events[0].event != "reset" {
		t.Errorf("%+v", events)
	}
	r.put("staging", "g", flagBody("on", ""), absent())
	if e := again.next("change"); e.Documents[0].Key != "g" {
		t.Errorf("%+v", e)
	}
}

// Eight windows are no trouble; there is a limit all the same. A stream is for those who may read, as long as they may and are signed in, and no longer
// than the publisher runs.
func TestWatchingHasLimits(t *testing.T) {
	t.Parallel()
	r := governed(t, publisher.Options{})
	r.create("staging")
	cookie := r.signIn(secretOf("viewer"))
	var all []*watched
	for range 8 {
		w := r.watch(cookie, "", "staging")
		w.begun()
		all = append(all, w)
	}
	r.put("staging", "f", flagBody("on", ""), absent())
	for _, w := range all {
		if e := w.next("change"); e.Documents[0].Key != "f" {
			t.Errorf("%+v", e)
		}
	}
	for range 8 {
		all = append(all, r.watch(cookie, "", "staging"))
	}
	f := func(status int, cookie, query string, headers ...string) {
		t.Helper()
		if got := r.by(cookie, http.MethodGet, "/console/events"+query, "", headers...); got.status != status {
			t.Errorf("%s: %d %s", query, got.status, got.body)
		}
	}
	f(http.StatusServiceUnavailable, cookie, "?environment=staging")
	f(http.StatusUnauthorized, "", "?environment=staging")
	f(http.StatusForbidden, cookie, "?environment=staging", "Authorization", "Bearer "+secretOf("elsewhere"))
	f(http.StatusNotFound, cookie, "?environment=none")
	for _, query := range []string{"", "?environment=", "?environment=a.b", "?environment=staging&environment=staging", "?" + strings.Repeat("environment=a&", 40)} {
		f(http.StatusUnprocessableEntity, cookie, query)
	}
	if got := r.by(cookie, http.MethodPost, "/console/events?environment=staging", ""); got.status != http.StatusMethodNotAllowed {
		t.Errorf("%+v", got)
	}

	if got := r.by(cookie, http.MethodDelete, "/console/session", ""); got.status != http.StatusNoContent {
		t.Errorf("%+v", got)
	}
	for _, w := range all {
		w.ended()
	}
	id, secret := r.newToken(access.RoleViewer)
	w := r.watch(r.signIn(secret), "", "staging")
	w.begun()
	if _, err := r.client.RevokeToken(t.Context(), id, api.AdministrationHeaders{}); err != nil {
		t.Fatal(err)
	}
	w.ended()
	w = r.watch(r.signIn(secretOf("viewer")), "", "staging")
	w.begun()
	r.stop() // waits for all goroutines, and fails if the stream has to be cut off
	w.ended()
}

// The id of a stream of several environments is where it is in each, in the order in which they were named.
func TestWatchedIDs(t *testing.T) {
	t.Parallel()
	r := governed(t, publisher.Options{})
	cookie := r.signIn(secretOf("viewer"))
	var names []string
	for i := range 3 {
		names = append(names, fmt.Sprintf("e%d", i))
		r.create(names[i])
	}
	w := r.watch(cookie, "", names...)
	w.begun()
	r.put("e1", "f", flagBody("on", ""), absent())
	w.next("change")
	w.close()
	again := r.watch(cookie, w.id, names...)
	events := again.begun()
	if len(events) != 3 || again.id != w.id {
		t.Errorf("%s, then %s with %+v", w.id, again.id, events)
	}
	for _, e := range events {
		if e.event != "request" {
			t.Errorf("%+v", e)
		}
	}
	if events := r.watch(cookie, w.id, "e1", "e0", "e2").begun(); len(events) != 3 || events[0].event != "reset" || events[2].event != "request" {
		t.Errorf("in another order: %+v", events)
	}
}
