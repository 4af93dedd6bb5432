package flagd_test

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	evaluationv2 "buf.build/gen/go/open-feature/flagd/protocolbuffers/go/flagd/evaluation/v2"
	"connectrpc.com/connect"
)

func TestHealth(t *testing.T) {
	s := newSystem(t)
	check := func(addr, service string) (int, string) {
		return s.post(addr, "/grpc.health.v1.Health/Check", fmt.Sprintf(`{"service":%q}`, service))
	}
	const evaluation, sync = "flagd.evaluation.v2.Service", "flagd.sync.v1.FlagSyncService"
	for _, ready := range []bool{true, false} {
		s.ready.Store(ready)
		want := map[bool]string{true: "SERVING", false: "NOT_SERVING"}[ready]
		for service, addr := range map[string]string{"": s.evaluation, evaluation: s.evaluation, "flagd.evaluation.v1.Service": s.evaluation, sync: s.sync} {
			if status, answer := check(addr, service); status != http.StatusOK || !strings.Contains(answer, `"SERVING_STATUS_`+want+`"`) {
				t.Errorf("%q while ready is %v: %d, %s", service, ready, status, answer)
			}
		}
	}
	if status, _ := check(s.evaluation, sync); status != http.StatusNotFound {
		t.Errorf("a service of another port: %d", status)
	}
}

func TestHostileInput(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	const procedure = "/flagd.evaluation.v2.Service/ResolveBoolean"
	for name, test := range map[string]struct {
		body   string
		status []int
	}{
		"no JSON":      {`{"flagKey":`, []int{400}},
		"another form": {`[]`, []int{400}},
		"deep":         {`{"flagKey":"on","context":` + strings.Repeat(`{"a":`, 20_000) + `1` + strings.Repeat(`}`, 20_000) + `}`, []int{400}},
		"deep, cut":    {`{"flagKey":"on","context":` + strings.Repeat(`{"a":`, 20_000) + `"\ud83d"` + strings.Repeat(`}`, 20_000) + `}`, []int{400}},
		"large":        {`{"flagKey":"` + strings.Repeat("x", 1_100_000) + `"}`, []int{429, 400}},
		"not a number": {`{"flagKey":"on","context":{"n":"NaN","m":1e999}}`, []int{400}},
		"no text":      {"{\"flagKey\":\"\xff\"}", []int{400}},
	} {
		status, answer := s.post(s.evaluation, procedure, test.body)
		if status != test.status[0] && status != test.status[len(test.status)-1] {
			t.Errorf("%s: %d, want %v: %.200s", name, status, test.status, answer)
		}
	}
	for _, raw := range []string{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "\x00\x01\x02\r\n\r\n", "GET / HTTP/9.9\r\n\r\n"} {
		c, err := net.Dial("tcp", s.evaluation)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write([]byte(raw)); err != nil {
			t.Fatal(err)
		}
		closed(t, c)
		c.Close()
	}
	answer, err := s.v2(dialects()[0]).ResolveBoolean(t.Context(), connect.NewRequest(&evaluationv2.ResolveBooleanRequest{FlagKey: "on"}))
	if err != nil || !answer.Msg.GetValue() {
		t.Errorf("afterwards: %v, %v", answer, err)
	}
	s.stop()
	if strings.Contains(s.logs.String(), "panic") {
		t.Errorf("a request met a mistake: %s", s.logs)
	}
}

func TestUnknownPathsAndMethods(t *testing.T) {
	s := newSystem(t)
	if status, _ := s.post(s.evaluation, "/flagd.evaluation.v2.Service/Other", "{}"); status != http.StatusNotFound {
		t.Errorf("an unknown procedure: %d", status)
	}
	if status, _ := s.post(s.evaluation, "/flagd.sync.v1.FlagSyncService/FetchAllFlags", "{}"); status != http.StatusNotFound {
		t.Errorf("a procedure of another port: %d", status)
	}
}
