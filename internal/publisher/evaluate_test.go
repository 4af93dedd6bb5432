package publisher_test

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/internal/publisher/access"
)

// A caller that has as many evaluations under way as one may have is refused and told when to try again, while another one is answered.
func TestACallerHasItsShareOfEvaluations(t *testing.T) {
	t.Parallel()
	const other = "the-token-of-another-caller-in-this-test"
	r := start(t, publisher.Options{DataDir: t.TempDir(), FixedTokens: []access.FixedToken{{Secret: other, Principal: access.Principal{
		ID: "other", Kind: access.KindToken, Groups: []string{access.RoleViewer},
	}}}})
	r.create("prod")
	r.put("prod", "slow", []byte(`{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off",
		"targeting":{"if":[{"some":[{"var":"list"},{"==":[{"var":""},1]}]},"on","off"]}}`), absent())
	const path = "/api/v1/environments/prod/evaluate"
	slow := `{"contexts":[{"list":[` + strings.TrimSuffix(strings.Repeat("0,", 100_000), ",") + `]}],"flags":[` + strings.TrimSuffix(strings.Repeat(`"slow",`, 1000), ",") + `]}`
	const quick = `{"contexts":[{}]}`
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	for range 6 {
		wg.Go(func() {
			for ctx.Err() == nil {
				request, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url+path, strings.NewReader(slow))
				if err != nil {
					t.Error(err)
					return
				}
				request.Header.Set("Content-Type", "application/json")
				request.Header.Set("Authorization", "Bearer "+adminSecret)
				if got, err := r.http.Do(request); err == nil {
					_ = got.Body.Close()
				}
			}
		})
	}
	var refused answer
	r.await("a refusal", func() bool {
		refused = r.ask(http.MethodPost, path, quick, "Authorization", "Bearer "+adminSecret)
		return refused.status != http.StatusOK
	})
	if seconds, err := strconv.Atoi(refused.header.Get("Retry-After")); refused.status != http.StatusTooManyRequests || err != nil || seconds < 1 {
		t.Errorf("the refusal is %d, Retry-After %q: %s", refused.status, refused.header.Get("Retry-After"), refused.body)
	}
	if got := r.ask(http.MethodPost, path, quick, "Authorization", "Bearer "+other); got.status != http.StatusOK {
		t.Errorf("another caller is answered with %d: %s", got.status, got.body)
	}
	cancel()
	wg.Wait()
	r.await("the caller to be answered again", func() bool {
		return r.ask(http.MethodPost, path, quick, "Authorization", "Bearer "+adminSecret).status == http.StatusOK
	})
}
