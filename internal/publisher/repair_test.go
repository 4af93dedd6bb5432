package publisher_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/internal/publisher/admin"
	"github.com/flagside/flagside/internal/publisher/audit"
	"github.com/flagside/flagside/internal/trusttest"
)

// damage replaces a stream by one that ends at a sequence and lacks another, 0 being none, as a server with a broken disk would show.
func damage(t *testing.T, server *natstest.Server, stream string, end, lacks uint64) {
	t.Helper()
	c := server.Client(t)
	var info struct {
		Config map[string]any `json:"config"`
	}
	if err := json.Unmarshal(askStream(t, c, "INFO", stream, nil), &info); err != nil {
		t.Fatal(err)
	}
	all := natstest.Stored(t, c, stream)
	if end == 0 {
		end = uint64(len(all))
	}
	deleteStream(t, server, stream)
	delete(info.Config, "metadata")
	info.Config["deny_delete"] = false
	askStream(t, c, "CREATE", stream, info.Config)
	for _, m := range all[:end] {
		natstest.Store(t, c, m)
	}
	if lacks > 0 {
		askStream(t, c, "MSG.DELETE", stream, map[string]uint64{"seq": lacks})
	}
	info.Config["deny_delete"] = true
	askStream(t, c, "UPDATE", stream, info.Config)
}

// askStream asks the server something about one stream.
func askStream(t *testing.T, c *natstest.Client, call, stream string, body any) []byte {
	t.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := c.Request("$JS.API.STREAM."+call+"."+stream, data, patience)
	if err != nil || strings.Contains(string(answer.Data), `"error"`) {
		t.Fatalf("%s of %s: %v %s", call, stream, err, answer.Data)
	}
	return answer.Data
}

// end returns the sequence that a stream ends with.
func end(t *testing.T, c *natstest.Client, stream string) uint64 {
	t.Helper()
	var info struct {
		State struct {
			LastSequence uint64 `json:"last_seq"`
		} `json:"state"`
	}
	if err := json.Unmarshal(askStream(t, c, "INFO", stream, nil), &info); err != nil {
		t.Fatal(err)
	}
	return info.State.LastSequence
}

// showsCondition reports whether the status of a publisher has a condition that names something.
func (r *running) showsCondition(code, names string) bool {
	status := r.ask(http.MethodGet, "/status", "").body
	return strings.Contains(status, code) && strings.Contains(status, names)
}

// warnsOf fails unless the history of an environment is proved but for what a repair says is lost.
func (r *running) warnsOf(environment, lost string) {
	r.t.Helper()
	report, err := audit.Verify(strings.NewReader(r.exported(environment)), trusttest.Default().Trust, audit.Options{Environment: environment, WithControl: true})
	if err != nil || !report.Incomplete || !strings.Contains(strings.Join(report.Warnings, "\n"), lost) {
		r.t.Errorf("verification after the repair: %v, warnings %q, want %q", err, report.Warnings, lost)
	}
}

const repairing = "the backup was older"

// A ledger that lost records, in the middle or at its end, stops change requests and says so. Once it is repaired, every publisher goes on
// without a restart, and what was lost is not remembered by the one that had read it.
func TestLedgerIsRepaired(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(t *testing.T, server *natstest.Server, last uint64){
		"a cut end": func(t *testing.T, server *natstest.Server, last uint64) {
			t.Helper()
			damage(t, server, "LEDGER_prod", last-1, 0)
		},
		"no stream": func(t *testing.T, server *natstest.Server, _ uint64) {
			t.Helper()
			deleteStream(t, server, "LEDGER_prod")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := natstest.Start(t)
			r := governed(t, publisher.Options{NATS: server.URL()})
			other := governed(t, publisher.Options{NATS: server.URL()})
			r.create("prod")
			if early := r.agreeAndApply(r.propose("early", "")); early.Status != "applied" { // so that the log refers to the ledger
				t.Fatalf("a request is %s", early.Status)
			}
			opened := r.propose("f", "")
			if _, err := r.as(secretOf("approver")).ApproveRequest(t.Context(), "prod", opened.ID, opened.Hash, "fine"); err != nil {
				t.Fatal(err)
			}
			other.await("the request", func() bool {
				found, err := other.client.Request(t.Context(), "prod", opened.ID)
				return err == nil && len(found.Approvals) == 1
			})
			last := end(t, server.Client(t), "LEDGER_prod")
			spoil(t, server, last)
			for _, one := range []*running{r, other} {
				one.await("the condition", func() bool {
					return one.showsCondition("journal-damaged", "publisher ledger repair --environment prod")
				})
			}
			if _, err := r.as(secretOf("editor")).RepairLedger(t.Context(), "prod", repairing); !refusedWith(err, http.StatusForbidden, "forbidden") {
				t.Errorf("repaired by an editor: %v", err)
			}
			done, err := r.client.RepairLedger(t.Context(), "prod", repairing)
			if err != nil || done.Stream != "LEDGER_prod" || done.Sequence <= last {
				t.Fatalf("repair: %+v, %v, want a record behind %d", done, err, last)
			}
			if _, err := r.client.RepairLedger(t.Context(), "prod", repairing); !refusedWith(err, http.StatusConflict, "ledger-whole") {
				t.Errorf("repaired again: %v", err)
			}
			for _, one := range []*running{r, other} {
				one.await("the end of the condition", func() bool { return !one.showsCondition("journal-damaged", "") })
				if found, err := one.client.Request(t.Context(), "prod", opened.ID); err == nil && len(found.Approvals) > 0 {
					t.Errorf("an approval that was lost is remembered: %+v", found)
				}
				again := one.propose("g-"+one.url, "")
				if again = one.agreeAndApply(again); again.Status != "applied" {
					t.Errorf("a request after the repair is %s", again.Status)
				}
			}
			r.warnsOf("prod", "LEDGER_prod: records ")
		})
	}
}

// Where CONTROL lost records, tokens and environments go on once it is repaired, by the token in the file of administrators. An
// environment that CONTROL has forgotten is adopted, with all its flags.
func TestControlIsRepairedAndAnEnvironmentAdopted(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	r := governed(t, publisher.Options{NATS: server.URL()})
	r.create("staging")
	r.put("staging", "f", flagBody("on", ""), absent())
	last := end(t, server.Client(t), "CONTROL")
	deleteStream(t, server, "CONTROL")
	r.await("the condition", func() bool { return r.showsCondition("journal-damaged", "publisher ledger repair --control") })
	if _, err := r.as(secretOf("editor")).RepairControl(t.Context(), repairing); !refusedWith(err, http.StatusForbidden, "forbidden") {
		t.Errorf("repaired by an editor: %v", err)
	}
	done, err := r.client.RepairControl(t.Context(), repairing)
	if err != nil || done.Stream != "CONTROL" || done.Sequence <= last {
		t.Fatalf("repair: %+v, %v, want a record behind %d", done, err, last)
	}
	r.await("the end of the condition", func() bool { return !r.showsCondition("journal-damaged", "") })

	late := governed(t, publisher.Options{NATS: server.URL()})
	if _, err := late.client.CreateEnvironment(t.Context(), "staging", ""); !refusedWith(err, http.StatusConflict, "environment-forgotten") {
		t.Errorf("an environment that is in use is created: %v", err)
	}
	adopted, err := late.client.AdoptEnvironment(t.Context(), "staging")
	if err != nil || adopted.Flags != 1 {
		t.Fatalf("adopt: %+v, %v", adopted, err)
	}
	if a := late.ask(http.MethodGet, "/api/v1/environments/staging/flags/f", "", "Authorization", "Bearer "+secretOf("viewer")); a.body != string(flagBody("on", "")) {
		t.Errorf("the flag is %d %s", a.status, a.body)
	}
	if _, err := late.client.CreateToken(t.Context(), admin.NewToken{Name: "new", Groups: []string{"flagside:viewer"}}); err != nil {
		t.Errorf("a token after the repair: %v", err)
	}
	late.warnsOf("staging", "CONTROL: records 1 to ")
}

// Messages in a ledger that no publisher signed are a condition that names the stream and the place.
func TestForeignMessagesInALedger(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	r := governed(t, publisher.Options{NATS: server.URL()})
	r.create("prod")
	c := server.Client(t)
	at := natstest.Store(t, c, natstest.Message{Subject: natstest.Stored(t, c, "CONTROL")[0].Subject, Data: []byte("x")})
	if at == 0 {
		t.Fatal("nothing was stored")
	}
	natstest.Store(t, c, natstest.Message{Subject: "flags.prod.x", Data: []byte("x")})
	for _, names := range []string{"CONTROL: 1 messages, the last at ", "the log of prod: 1 since the start, the last at "} {
		r.await(names, func() bool { return r.showsCondition("foreign-messages", names) })
	}
}

// A hole in a ledger is found by a publisher that reads it for the first time.
func TestALedgerWithAHoleIsRepaired(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	r := governed(t, publisher.Options{NATS: server.URL()})
	r.create("prod")
	opened := r.propose("f", "")
	if _, err := r.as(secretOf("approver")).ApproveRequest(t.Context(), "prod", opened.ID, opened.Hash, "fine"); err != nil {
		t.Fatal(err)
	}
	r.stop()
	last := end(t, server.Client(t), "LEDGER_prod")
	damage(t, server, "LEDGER_prod", 0, last-1)
	cold := governed(t, publisher.Options{NATS: server.URL()})
	cold.await("the condition", func() bool {
		return cold.showsCondition("journal-damaged", "publisher ledger repair --environment prod")
	})
	if _, err := cold.client.RepairLedger(t.Context(), "prod", repairing); err != nil {
		t.Fatal(err)
	}
	cold.await("the end of the condition", func() bool { return !cold.showsCondition("journal-damaged", "") })
	if again := cold.agreeAndApply(cold.propose("g", "")); again.Status != "applied" {
		t.Errorf("a request after the repair is %s", again.Status)
	}
	cold.warnsOf("prod", "LEDGER_prod: records ")
}
