package publisher_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/api"
)

// approvedByToken returns a request that only an API token of its own has approved, and the id of the token.
func (r *running) approvedByToken(key string) (q api.ChangeRequest, token string) {
	r.t.Helper()
	created, err := r.as(secretOf("admin")).CreateToken(r.t.Context(), api.NewToken{Name: key, Groups: []string{access.RoleApprover}}, api.AdministrationHeaders{})
	if err != nil {
		r.t.Fatal(err)
	}
	q = r.propose(key, "")
	if _, err := r.as(created.Secret).ApproveRequest(r.t.Context(), "prod", q.ID, q.Hash, api.ChangeHeaders{}); err != nil {
		r.t.Fatal(err)
	}
	return q, created.Token.ID
}

// TestRevocationRacesApply revokes the token of an approver at one publisher while the request is applied at another: it is applied, or
// refused because of the revocation, and never applied once the revocation was acknowledged.
func TestRevocationRacesApply(t *testing.T) {
	t.Parallel()
	one, other := governedTwice(t)
	apply := func(q api.ChangeRequest) error {
		_, err := other.as(secretOf("editor")).ApplyRequest(t.Context(), "prod", q.ID, api.ChangeHeaders{})
		return err
	}
	revoke := func(token string) error {
		_, err := one.as(secretOf("admin")).RevokeToken(t.Context(), token, api.AdministrationHeaders{})
		return err
	}
	outcomes := make(map[bool]int)
	for i := range 20 {
		key := fmt.Sprint("at-once-", i)
		q, token := one.approvedByToken(key)
		var both sync.WaitGroup
		var applied, revoked error
		both.Go(func() { applied = apply(q) })
		both.Go(func() { revoked = revoke(token) })
		both.Wait()
		if revoked != nil || applied != nil && !refusedWith(applied, http.StatusForbidden, "approval-required") {
			t.Fatalf("revoked: %v, applied: %v", revoked, applied)
		}
		got := other.ask(http.MethodGet, "/api/v1/environments/prod/flags/"+key, "", "Authorization", "Bearer "+secretOf("viewer"))
		if (got.status == http.StatusOK) != (applied == nil) {
			t.Errorf("applied: %v, and the flag: %d", applied, got.status)
		}
		outcomes[applied == nil]++

		q, token = one.approvedByToken(fmt.Sprint("afterwards-", i))
		if err := revoke(token); err != nil {
			t.Fatal(err)
		}
		if err := apply(q); !refusedWith(err, http.StatusForbidden, "approval-required") {
			t.Fatalf("applied after its only approver was revoked: %v", err)
		}
	}
	t.Logf("of 20 races %d were applied, %d refused", outcomes[true], outcomes[false])
}
