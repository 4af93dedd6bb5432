package publisher_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/internal/publisher/api"
)

// requestStates makes a change request of the editor, or of the admin where the glass is broken, in each state.
func (r *running) requestStates() map[string]func(key string) api.ChangeRequest {
	ctx := r.t.Context()
	must := func(q api.ChangeRequest, err error) api.ChangeRequest {
		r.t.Helper()
		if err != nil {
			r.t.Fatal(err)
		}
		return q
	}
	step := func(role, step string, q api.ChangeRequest) api.ChangeRequest {
		r.t.Helper()
		got := r.ask(http.MethodPost, "/api/v1/environments/prod/requests/"+q.ID+"/"+step, "", "Authorization", "Bearer "+secretOf(role))
		if got.status >= http.StatusBadRequest {
			r.t.Fatalf("%s: %d %s", step, got.status, got.body)
		}
		return must(r.as(secretOf(role)).Request(ctx, "prod", q.ID))
	}
	approved := func(key string) api.ChangeRequest {
		q := r.propose(key, "")
		return must(r.as(secretOf("approver")).ApproveRequest(ctx, "prod", q.ID, q.Hash, api.ChangeHeaders{}))
	}
	broken := func(key string) api.ChangeRequest {
		q := must(r.as(secretOf("admin")).OpenRequest(ctx, "prod", api.NewRequest{BreakGlass: true, Reason: "it burns", Command: api.Command{
			Type: "put", Key: key, IfAbsent: true, Document: []byte(offDocument),
		}}, api.ChangeHeaders{}))
		return must(r.as(secretOf("admin")).ApplyRequest(ctx, "prod", q.ID, api.ChangeHeaders{Reason: "it burns"}))
	}
	return map[string]func(key string) api.ChangeRequest{
		"open":      func(key string) api.ChangeRequest { return r.propose(key, "") },
		"approved":  approved,
		"applied":   func(key string) api.ChangeRequest { return step("editor", "apply", approved(key)) },
		"withdrawn": func(key string) api.ChangeRequest { return step("editor", "withdraw", r.propose(key, "")) },
		"rejected":  func(key string) api.ChangeRequest { return step("approver", "reject", r.propose(key, "")) },
		"scheduled": func(key string) api.ChangeRequest {
			q := must(r.as(secretOf("editor")).OpenRequest(ctx, "prod", api.NewRequest{ApplyAt: time.Now().Add(time.Hour), Command: api.Command{
				Type: "put", Key: key, IfAbsent: true, Document: []byte(offDocument),
			}}, api.ChangeHeaders{}))
			return must(r.as(secretOf("approver")).ApproveRequest(ctx, "prod", q.ID, q.Hash, api.ChangeHeaders{}))
		},
		"stale": func(key string) api.ChangeRequest {
			q := approved(key)
			broken(key)
			return q
		},
		"broken":   broken,
		"reviewed": func(key string) api.ChangeRequest { return step("approver", "review", broken(key)) },
	}
}

// request returns a change request as it is now.
func (r *running) request(id string) api.ChangeRequest {
	r.t.Helper()
	q, err := r.as(secretOf("viewer")).Request(r.t.Context(), "prod", id)
	if err != nil {
		r.t.Fatal(err)
	}
	return q
}

// requestSteps are the routes that move a change request, with their bodies; {h} is its hash and {k} its flag.
func requestSteps() map[string]string {
	return map[string]string{
		"comment": `{"text":"well"}`, "approve": `{"hash":"{h}"}`, "reject": "", "withdraw": "", "apply": "", "review": "",
		"rebase": `{"command":{"type":"put","key":"{k}-2","ifAbsent":true,"document":` + offDocument + `}}`,
	}
}

// whoMayMove says which roles move a change request of the editor by a step in a state; all others are refused, and it stays what it is. The
// requests that break the glass are of the admin.
func whoMayMove() map[string]map[string]string {
	const comments, approves, withdraws, reads = "editor approver admin", "approver admin", "editor admin", "viewer editor approver admin looking"
	return map[string]map[string]string{
		"open":      {"comment": comments, "approve": approves, "reject": approves, "withdraw": withdraws, "rebase": "editor"},
		"approved":  {"comment": comments, "approve": "admin", "reject": approves, "withdraw": withdraws, "rebase": "editor", "apply": comments},
		"scheduled": {"comment": comments, "approve": "admin", "reject": approves, "withdraw": withdraws, "rebase": "editor"},
		"stale":     {"comment": comments, "reject": approves, "withdraw": withdraws, "rebase": "editor"},
		"withdrawn": {"comment": comments},
		"rejected":  {"comment": comments},
		"applied":   {"comment": comments, "apply": reads}, // again, which changes nothing
		"broken":    {"comment": comments, "apply": reads, "review": "approver"},
		"reviewed":  {"comment": comments, "apply": reads},
	}
}

// TestWhoMovesARequestInWhichState goes through every role, step and state.
func TestWhoMovesARequestInWhichState(t *testing.T) {
	skipShort(t)
	t.Parallel()
	r := governed(t, publisher.Options{})
	r.create("prod")
	want, n := whoMayMove(), 0
	for state, make := range r.requestStates() {
		for name, body := range requestSteps() {
			var moved []string
			var q api.ChangeRequest
			used := true
			for role := range strings.FieldsSeq(everybody) {
				if used {
					n++
					q = r.request(make(fmt.Sprint("f-", n)).ID)
				}
				filled := strings.NewReplacer("{h}", q.Hash, "{k}", fmt.Sprint("f-", n)).Replace(body)
				got := r.ask(http.MethodPost, "/api/v1/environments/prod/requests/"+q.ID+"/"+name, filled, "Authorization", "Bearer "+secretOf(role))
				used = got.status < http.StatusBadRequest
				if used {
					moved = append(moved, role)
				}
				if got.status >= http.StatusInternalServerError {
					t.Errorf("%s of a request that is %s by %s answers %d %s", name, state, role, got.status, got.body)
				}
				now := r.request(q.ID)
				if !used && (now.Status != q.Status || len(now.Approvals) != len(q.Approvals) || now.ReviewOpen != q.ReviewOpen || now.Hash != q.Hash) {
					t.Errorf("%s of a request that is %s by %s answers %d and has made it %s", name, state, role, got.status, now.Status)
				}
			}
			if got := strings.Join(moved, " "); got != want[state][name] {
				t.Errorf("%s of a request that is %s: %q may, want %q", name, state, got, want[state][name])
			}
		}
	}
}
