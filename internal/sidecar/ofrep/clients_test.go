package ofrep_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/flagside/flagside/internal/sidecar/ofrep"
)

// parser is what the OFREP provider of a language needs of an answer to get along with it. It returns what would make the provider throw,
// or answer otherwise than it should.
type parser struct {
	client string
	demand func(exchanged) error
}

// exchanged is an answer and whether all flags were asked for.
type exchanged struct {
	reply
	bulk bool
}

func parsers() []parser {
	return []parser{
		{"Java", demandsOfJava},
		{"Python", demandsOfPython},
		{"JavaScript, server", demandsOfJavaScript},
		{"JavaScript, web", demandsOfWeb},
		{"Go", demandsOfGo},
	}
}

// demandsOfJava: metadata are read before anything else, whatever the status, and copied into a map that takes no null.
func demandsOfJava(e exchanged) error {
	metadata, ok := e.body["metadata"].(object)
	if !ok {
		return errors.New("NullPointerException: no metadata")
	}
	for name, value := range metadata {
		if value == nil {
			return fmt.Errorf("NullPointerException: metadata %s", name)
		}
	}
	return retryAfter(e)
}

// demandsOfPython: reason and errorCode are looked up in enumerations, and what is missing is a KeyError. Without a value it answers the
// caller's default. STALE is not among the reasons of every version of the SDK; those that lack it answer the caller's default.
func demandsOfPython(e exchanged) error {
	switch {
	case e.bulk:
		return nil // it asks for single flags only
	case e.status >= http.StatusBadRequest:
		codes := []string{
			"PROVIDER_NOT_READY", "PROVIDER_FATAL", "FLAG_NOT_FOUND", "PARSE_ERROR", "TYPE_MISMATCH", "TARGETING_KEY_MISSING",
			"INVALID_CONTEXT", "GENERAL",
		}
		return errors.Join(text(e.body, "errorCode", codes...), text(e.body, "errorDetails"), retryAfter(e))
	case e.body["value"] == nil:
		return nil
	default:
		reasons := []string{"CACHED", "DEFAULT", "DISABLED", "ERROR", "STATIC", "SPLIT", "STALE", "TARGETING_MATCH", "UNKNOWN"}
		return errors.Join(text(e.body, "reason", reasons...), text(e.body, "variant"), member[object](e.body, "metadata"))
	}
}

// demandsOfJavaScript: an answer that does not look like one of OFREP is an unexpected response. What failed for want of a token, or because
// too much was asked, is told by the status.
func demandsOfJavaScript(e exchanged) error {
	if got := e.header.Get("Content-Type"); got != "application/json" {
		return fmt.Errorf("content type %q", got)
	}
	switch e.status {
	case http.StatusOK:
		if e.bulk {
			return nil
		}
		return errors.Join(text(e.body, "key"), text(e.body, "reason"), member[object](e.body, "metadata"))
	case http.StatusBadRequest, http.StatusNotFound:
		if e.bulk {
			return text(e.body, "errorCode")
		}
		return errors.Join(text(e.body, "key"), text(e.body, "errorCode"))
	default:
		return retryAfter(e)
	}
}

// demandsOfWeb: flags, each a success or a failure, a validator to ask again with, and streams that it can open.
func demandsOfWeb(e exchanged) error {
	if !e.bulk || e.status != http.StatusOK {
		return nil
	}
	if len(e.header.Get("ETag")) < 3 {
		return errors.New("no ETag: every poll is a change")
	}
	errs := []error{member[[]any](e.body, "flags"), member[object](e.body, "metadata"), member[[]any](e.body, "eventStreams")}
	flags, _ := e.body["flags"].([]any)
	for _, flag := range flags {
		item, _ := flag.(object)
		errs = append(errs, text(item, "key"))
		if item["errorCode"] == nil {
			errs = append(errs, text(item, "reason"))
		}
	}
	streams, _ := e.body["eventStreams"].([]any)
	for _, stream := range streams {
		described, _ := stream.(object)
		endpoint, _ := described["endpoint"].(object)
		errs = append(errs, text(described, "type", "sse"), text(endpoint, "requestUri"), member[float64](described, "inactivityDelaySec"))
	}
	return errors.Join(errs...)
}

// demandsOfGo: members of the types of a structure.
func demandsOfGo(e exchanged) error {
	switch {
	case e.bulk:
		return nil // it asks for single flags only
	case e.status == http.StatusOK:
		return errors.Join(text(e.body, "key"), text(e.body, "reason"), member[object](e.body, "metadata"))
	default:
		return errors.Join(text(e.body, "errorCode"), text(e.body, "errorDetails"), retryAfter(e))
	}
}

// text returns an error unless the member is a string that is not empty, and one of those allowed.
func text(body object, name string, allowed ...string) error {
	got, _ := body[name].(string)
	if got == "" || len(allowed) > 0 && !slices.Contains(allowed, got) {
		return fmt.Errorf("%s is %v", name, body[name])
	}
	return nil
}

func member[T any](body object, name string) error {
	if _, ok := body[name].(T); !ok {
		return fmt.Errorf("%s is %v", name, body[name])
	}
	return nil
}

// retryAfter returns an error if a client that is told to come back later does not know when.
func retryAfter(e exchanged) error {
	if e.status != http.StatusTooManyRequests {
		return nil
	}
	_, err := strconv.ParseUint(e.header.Get("Retry-After"), 10, 31)
	return err
}

// Whatever a provider asks, and whatever state the sidecar is in, the answer is one that every provider gets along with.
func TestAnswersSuitEveryClient(t *testing.T) {
	store := load(t, flags, "")
	feed := startFeed(t, store, never)
	healthy := start(t, store, func(o *ofrep.Options) { o.Feed = feed })
	tokens := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(tokens, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	guarded := start(t, store, func(o *ofrep.Options) { o.TokenFile = tokens })
	full := start(t, store, func(o *ofrep.Options) { o.MaxConnections = 1 })
	only := full.dial()
	defer only.Close()
	only.send(request(http.MethodPost, single+"on", "{}"))
	only.receive(http.MethodPost)
	cut, _ := startFollowing(t, log{cut: true, confirmed: time.Now().Add(-time.Minute)})
	for _, c := range []struct {
		sidecar *system
		target  string
		body    string
		header  []string
		status  int
	}{
		{sidecar: healthy, target: single + "on", status: 200},
		{sidecar: healthy, target: single + "text", status: 200},
		{sidecar: healthy, target: single + "number", status: 200},
		{sidecar: healthy, target: single + "object", status: 200},
		{sidecar: healthy, target: single + "targeted", body: evaluation, status: 200},
		{sidecar: healthy, target: single + "targeted", status: 200},
		{sidecar: healthy, target: single + "disabled", status: 200},
		{sidecar: healthy, target: single + "code", status: 200},
		{sidecar: healthy, target: single + "grouped", status: 200},
		{sidecar: healthy, target: single + "broken", body: `{"context":{"variant":"none"}}`, status: 400},
		{sidecar: healthy, target: single + "missing", status: 404},
		{sidecar: healthy, target: single + "on", body: `{"context":[]}`, status: 400},
		{sidecar: healthy, target: single + "on%zz", status: 400},
		{sidecar: healthy, target: single + "on", header: []string{"Flagd-Selector: x"}, status: 400},
		{sidecar: healthy, target: single + "on", header: []string{"Flagside-Min-Revision: 00000000-1"}, status: 504},
		{sidecar: healthy, target: single + "on", body: strings.Repeat(" ", 1_000_001), status: 413},
		{sidecar: healthy, target: single + "on", header: []string{"X: " + strings.Repeat("x", 17<<10)}, status: 431},
		{sidecar: healthy, target: bulk, body: evaluation, status: 200},
		{sidecar: healthy, target: bulk, header: []string{"Flagd-Selector: flagSetId=none"}, status: 200},
		{sidecar: healthy, target: bulk, body: `{`, status: 400},
		{sidecar: guarded, target: single + "on", status: 401},
		{sidecar: guarded, target: bulk, status: 401},
		{sidecar: full, target: single + "on", status: 429},
		{sidecar: cut, target: single + "stale", status: 200},
		{sidecar: cut, target: single + "error", status: 400},
		{sidecar: cut, target: single + "stale", header: []string{"Flagside-Min-Revision: 00000000-1"}, status: 412},
		{sidecar: start(t, empty(t), nil), target: single + "on", status: 503},
		{sidecar: start(t, broken{}, nil), target: single + "on", status: 500},
	} {
		answer := exchanged{reply: c.sidecar.do(http.MethodPost, c.target, c.body, c.header...), bulk: c.target == bulk}
		if answer.status != c.status {
			t.Errorf("%s %.60q %.60q: status %d, want %d", c.target, c.header, c.body, answer.status, c.status)
		}
		checkForClients(t, c.target, answer)
	}
}

func checkForClients(t *testing.T, what string, answer exchanged) {
	t.Helper()
	for _, p := range parsers() {
		if err := p.demand(answer); err != nil {
			t.Errorf("%s cannot do with the answer to %s: %v\n%d %v", p.client, what, err, answer.status, answer.body)
		}
	}
}
