package publisher_test

import (
	"strings"
	"testing"

	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/audit"
	"github.com/flagside/flagside/internal/trusttest"
)

// A history whose ledger was repaired is proved but for what the repair says is lost.
func TestAHistoryAfterARepairIsVerified(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	r := governed(t, publisher.Options{NATS: server.URL()})
	r.create("prod")
	for _, key := range []string{"a", "b"} { // so that the log refers to the ledger
		if applied := r.agreeAndApply(r.propose(key, "")); applied.Status != "applied" {
			t.Fatalf("a request is %s", applied.Status)
		}
	}
	natstest.Damage(t, server.Client(t), "LEDGER_prod", 5)
	r.await("the condition", func() bool { return strings.Contains(r.ask("GET", "/status", "").body, "journal-damaged") })
	if _, err := r.client.RepairLedger(t.Context(), "prod", api.RepairHeaders{Reason: "the backup was older"}); err != nil {
		t.Fatal(err)
	}
	if applied := r.agreeAndApply(r.propose("c", "")); applied.Status != "applied" {
		t.Errorf("a request after the repair is %s", applied.Status)
	}
	report, err := audit.Verify(strings.NewReader(r.exported("prod")), trusttest.Default().Trust, audit.Options{Environment: "prod", WithControl: true})
	if err != nil || !report.Incomplete || !strings.Contains(strings.Join(report.Warnings, "\n"), "LEDGER_prod: records ") {
		t.Errorf("verification after the repair: %v, warnings %q", err, report.Warnings)
	}
}
