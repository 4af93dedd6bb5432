package flagd_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	evaluationv1 "buf.build/gen/go/open-feature/flagd/protocolbuffers/go/flagd/evaluation/v1"
	evaluationv2 "buf.build/gen/go/open-feature/flagd/protocolbuffers/go/flagd/evaluation/v2"
	syncv1 "buf.build/gen/go/open-feature/flagd/protocolbuffers/go/flagd/sync/v1"
	"connectrpc.com/connect"
	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/sidecar/flagd"
	"github.com/flagside/flagside/internal/sidecar/historytest"
	"github.com/flagside/flagside/internal/sidecar/tokens"
)

const token = "token-that-is-known-4711"

// newGuarded returns a system that asks for the token.
func newGuarded(t *testing.T) *system {
	t.Helper()
	file := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	known, err := tokens.Open(file, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	h := historytest.New(t)
	h.Commit(flags()...)
	return start(t, h, func(o *flagd.Options) { o.Tokens = known })
}

// Every protocol says in its own words that a token is missing, for answers and for streams.
func TestStrangersAreRefused(t *testing.T) {
	s := newGuarded(t)
	for _, d := range dialects() {
		t.Run(d.name, func(t *testing.T) {
			for name, header := range map[string][2]string{
				"none": {"X", "y"}, "wrong": {"Authorization", "Bearer other"}, "another scheme": {"Authorization", "Basic " + token},
			} {
				ask := connect.NewRequest(&evaluationv2.ResolveBooleanRequest{FlagKey: "on"})
				ask.Header().Set(header[0], header[1])
				_, err := s.v2(d).ResolveBoolean(t.Context(), ask)
				wantCode(t, name, err, connect.CodeUnauthenticated)

				all := connect.NewRequest(&evaluationv1.ResolveAllRequest{})
				all.Header().Set(header[0], header[1])
				_, err = s.v1(d).ResolveAll(t.Context(), all)
				wantCode(t, name+", of v1", err, connect.CodeUnauthenticated)

				sync := connect.NewRequest(&syncv1.SyncFlagsRequest{})
				sync.Header().Set(header[0], header[1])
				stream, err := s.syncs(d).SyncFlags(t.Context(), sync)
				if err == nil {
					stream.Receive()
					err = stream.Err()
					stream.Close()
				}
				wantCode(t, name+", of a stream", err, connect.CodeUnauthenticated)
			}
			for _, header := range [][2]string{{"Authorization", "Bearer " + token}, {"X-Api-Key", token}} {
				ask := connect.NewRequest(&evaluationv2.ResolveBooleanRequest{FlagKey: "on"})
				ask.Header().Set(header[0], header[1])
				if answer, err := s.v2(d).ResolveBoolean(t.Context(), ask); err != nil || !answer.Msg.GetValue() {
					t.Errorf("with %v: %v, %v", header, answer, err)
				}
			}
		})
	}
}

func TestHealthNeedsNoToken(t *testing.T) {
	s := newGuarded(t)
	for _, addr := range []string{s.evaluation, s.sync} {
		if status, answer := s.post(addr, "/grpc.health.v1.Health/Check", "{}"); status != http.StatusOK || !strings.Contains(answer, "SERVING") {
			t.Errorf("%d %s", status, answer)
		}
	}
	const procedure = "/flagd.evaluation.v2.Service/ResolveBoolean"
	status, answer := s.post(s.evaluation, procedure, `{"flagKey":"on"}`)
	if status != http.StatusUnauthorized || !strings.Contains(answer, "unauthenticated") || strings.Contains(answer, token) {
		t.Errorf("plain JSON: %d %s", status, answer)
	}
	if status, answer := s.post(s.evaluation, procedure, `{}`, "Content-Type", "text/plain"); status != http.StatusUnauthorized {
		t.Errorf("another protocol: %d %s", status, answer)
	}
}

// A guard stands before everything of a service: before GET, before methods that do not exist, and before all but the first of several fields.
func TestNothingGoesAroundTheGuard(t *testing.T) {
	s := newGuarded(t)
	const service = "/flagd.evaluation.v2.Service/"
	for _, c := range []struct {
		method, path string
		fields       []string
	}{
		{http.MethodGet, service + "ResolveBoolean?connect=v1&encoding=json&message=%7B%22flagKey%22%3A%22on%22%7D", nil},
		{http.MethodGet, service, nil},
		{http.MethodPost, service + "Nothing", nil},
		{http.MethodPost, service + "ResolveBoolean", []string{"Bearer wrong", "Bearer " + token}},
		{http.MethodPost, service + "ResolveBoolean", []string{"Bearer wrong, Bearer " + token}},
	} {
		request, err := http.NewRequestWithContext(t.Context(), c.method, "http://"+s.evaluation+c.path, strings.NewReader(`{"flagKey":"on"}`))
		if err != nil {
			t.Fatal(err)
		}
		request.Header["Authorization"] = c.fields
		request.Header.Set("Content-Type", "application/json")
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusUnauthorized {
			t.Errorf("%+v: status %d", c, answer.StatusCode)
		}
	}
}
