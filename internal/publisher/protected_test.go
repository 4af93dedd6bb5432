package publisher_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/internal/trusttest"
)

// An environment is protected from its creation on if that is asked for, and where it cannot be, the answer says what was done and what to do.
func TestEnvironmentIsCreatedProtected(t *testing.T) {
	t.Parallel()
	keys := trusttest.Default().Directory(t)
	for _, limit := range []int{0, 1} {
		r := start(t, publisher.Options{DataDir: t.TempDir(), KeysDir: keys, LedgerBytes: limit})
		created := r.ask(http.MethodPost, "/api/v1/environments", `{"name":"live","protected":true}`)
		risk := r.ask(http.MethodGet, "/api/v1/environments/live/risk", "")
		protected := strings.Contains(risk.body, `"protected":true`)
		switch detail := created.problem.Detail; {
		case risk.status != http.StatusOK || protected != (limit == 0):
			t.Errorf("limit %d: risk is %d %s", limit, risk.status, risk.body)
		case limit == 0 && created.status != http.StatusCreated:
			t.Errorf("created: %d %s", created.status, created.body)
		case limit != 0 && (created.status < 400 || !strings.Contains(detail, "was created") || !strings.Contains(detail, "risk live --protected=true")):
			t.Errorf("it cannot be marked: %d %s", created.status, created.body)
		}
	}
}
