package publisher_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/flagside/flagside/internal/faultnet"
	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/audit"
	"github.com/flagside/flagside/internal/trusttest"
)

// missed returns a publisher that has missed the newest change of prod, which the ledger tells of, and whose log is gone.
func missed(t *testing.T, server *natstest.Server) *running {
	t.Helper()
	one := governedOn(t, server)
	one.create("prod")
	one.agreeAndApply(one.propose("f", ""))
	proxy := faultnet.Start(t, strings.TrimPrefix(server.URL(), "nats://"))
	late := governed(t, publisher.Options{NATS: "nats://" + proxy.Addr(), FixedTokens: []access.FixedToken{administrator()}})
	late.await("f", func() bool { return late.ask(http.MethodGet, flags+"/f", "").status == http.StatusOK })
	proxy.Refuse(true)
	proxy.Cut()
	one.agreeAndApply(one.propose("g", ""))
	one.stop()
	deleteStream(t, server, "FLAGS_prod")
	proxy.Refuse(false)
	late.await("the loss", func() bool { return late.condition("stream-lost") != "" })
	return late
}

// verified verifies the history of prod, and wants what was lost to be a warning and nothing else.
func (r *running) verified() {
	r.t.Helper()
	report, err := audit.Verify(strings.NewReader(r.exported("prod")), trusttest.Default().Trust, audit.Options{})
	if err != nil || len(report.Warnings) == 0 {
		r.t.Errorf("audit verify: %v, warnings %q, want warnings only", err, report.Warnings)
	}
}

// TestRecreateOfAStateThatMissesAChange tries to recreate an older state than the ledger tells of: that takes breaking the glass, and its
// history says what was left.
func TestRecreateOfAStateThatMissesAChange(t *testing.T) {
	t.Parallel()
	late := missed(t, natstest.Start(t))
	_, err := late.as(secretOf("administrator")).RecreateEnvironment(t.Context(), "prod", api.RecreateQuery{}, api.RestoreHeaders{ChangeHeaders: api.ChangeHeaders{Reason: "the disk is new"}})
	if !refusedWith(err, http.StatusForbidden, "break-glass-required") {
		t.Fatalf("recreated by a person who may only administer: %v", err)
	}
	out, err := late.client.RecreateEnvironment(t.Context(), "prod", api.RecreateQuery{}, anyway("the disk is new"))
	if err != nil || !out.Request.ReviewOpen {
		t.Fatalf("recreated by breaking the glass: %+v, %v", out, err)
	}
	late.verified()
}

// TestRestoreOfAnOlderSnapshotAfterALoss restores, as the handbook says, what is left of a log that is gone: the history tells that the rest is
// lost, and not that it was forged.
func TestRestoreOfAnOlderSnapshotAfterALoss(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	r := governedOn(t, server)
	r.create("prod")
	r.agreeAndApply(r.propose("f", ""))
	before := published(t, server, r, "f")
	r.agreeAndApply(r.propose("g", ""))
	r.stop()
	deleteStream(t, server, "FLAGS_prod")
	late := governedOn(t, server)
	if _, err := late.client.RestoreEnvironment(t.Context(), "prod", before, api.RestoreQuery{}, anyway("it is gone")); err != nil {
		t.Fatal(err)
	}
	late.verified()
}
