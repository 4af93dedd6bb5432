package publisher_test

import (
	"bytes"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/audit"
	"github.com/flagside/flagside/internal/publisher/control/requests"
	"github.com/flagside/flagside/internal/trusttest"
)

// idOf returns the id by which records call the holder of a token.
func (r *running) idOf(token string) string {
	r.t.Helper()
	who, err := r.as(token).WhoAmI(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	return who.ID
}

// proposeAs returns a change request of the holder of a token.
func (r *running) proposeAs(token, key string) api.ChangeRequest {
	r.t.Helper()
	opened, err := r.as(token).OpenRequest(r.t.Context(), "prod", api.NewRequest{
		Command: api.Command{Type: "put", Key: key, IfAbsent: true, Document: []byte(offDocument)},
	}, api.ChangeHeaders{})
	if err != nil {
		r.t.Fatal(err)
	}
	return opened
}

// export returns an export of prod with CONTROL, and fails unless it is whole.
func (r *running) export() string {
	r.t.Helper()
	return r.exportOf("prod")
}

// exportOf is export of an environment.
func (r *running) exportOf(environment string) string {
	r.t.Helper()
	reader, err := r.client.ExportAudit(r.t.Context(), environment, true)
	if err != nil {
		r.t.Fatal(err)
	}
	defer reader.Close()
	text, err := io.ReadAll(reader)
	if err != nil {
		r.t.Fatal(err)
	}
	report, err := audit.Verify(bytes.NewReader(text), trusttest.Default().Trust, audit.Options{EverySignature: true})
	if err != nil || report.Records() == 0 || len(report.Warnings) != 0 {
		r.t.Errorf("%v, %d records, warnings %q", err, report.Records(), report.Warnings)
	}
	return string(text)
}

// stored returns everything that the streams of a server have.
func stored(t *testing.T, server *natstest.Server) string {
	t.Helper()
	js := natstest.JetStream(t, server.Client(t))
	var all strings.Builder
	for stream := range js.Streams() {
		for n := stream.State.FirstSeq; n <= stream.State.LastSeq; n++ {
			m, err := js.GetMsg(stream.Config.Name, n)
			if err != nil {
				continue // it was deleted
			}
			all.WriteString(m.Subject)
			all.Write(m.Data)
			for name, values := range m.Header {
				all.WriteString(name + strings.Join(values, ""))
			}
		}
	}
	return all.String()
}

// filesWith returns the files below a directory that contain a text.
func filesWith(t *testing.T, dir, text string) (found []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if bytes.Contains(data, []byte(text)) {
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// After a person was erased, nothing of the installation has the subject or the name, and the history is as whole as it was.
func TestAPersonIsErased(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	i := newIdentities(t)
	o := i.options()
	o.NATS = server.URL()
	r, other := governed(t, o), governed(t, o)
	r.create("prod")
	const subject = "lovelace@example.com"
	editor := i.token(subject, access.RoleEditor, "flagside", time.Hour)
	asAdmin := i.token(subject, access.RoleAdmin, "flagside", time.Hour)
	q := r.proposeAs(editor, "f")
	if _, err := r.as(secretOf("approver")).ApproveRequest(t.Context(), "prod", q.ID, q.Hash, api.ChangeHeaders{}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.as(editor).ApplyRequest(t.Context(), "prod", q.ID, api.ChangeHeaders{}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.as(asAdmin).CreateEnvironment(t.Context(), api.NewEnvironment{Name: "staging"}, api.AdministrationHeaders{}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.as(asAdmin).CreateToken(t.Context(), api.NewToken{Name: "build", Groups: []string{"g"}}, api.AdministrationHeaders{}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.as(i.token(subject, "none", "flagside", time.Hour)).PutRisk(t.Context(), "prod", api.RiskSettings{}, api.ChangeHeaders{}); !refusedWith(err, http.StatusForbidden, "forbidden") {
		t.Fatal(err)
	}
	id := r.idOf(editor)
	if id == "" || id != q.Author || id != other.idOf(editor) {
		t.Errorf("ids %q, %q, %q", id, q.Author, other.idOf(editor))
	}
	if text := stored(t, server); strings.Count(text, subject) == 0 || !strings.Contains(text, nameOf(subject)) {
		t.Error("the person is not in the streams, so that this test proves nothing")
	}
	if len(filesWith(t, server.Dir(), subject)) == 0 {
		t.Error("the person is not in the files, so that this test proves nothing")
	}
	if strings.Contains(r.export(), subject) {
		t.Error("an export has the subject")
	}

	erased, err := r.client.ErasePerson(t.Context(), "corp:"+subject, api.AdministrationHeaders{})
	if err != nil || len(erased.IDs) != 1 || erased.IDs[0] != id {
		t.Fatalf("%+v, %v", erased, err)
	}
	other.await("the other publisher to forget the person", func() bool {
		history, err := other.client.History(t.Context(), "prod", flagID("f"), api.HistoryQuery{})
		return err == nil && history.Items[0].Names[id] == id+" (erased)"
	})
	other.await("the new environment at the other publisher", func() bool { _, err := other.client.Environment(t.Context(), "staging"); return err == nil })
	answers := r.export()
	for _, p := range []*running{r, other} {
		for _, path := range []string{
			"persons", "tokens", "environments", "environments/prod", "environments/staging", "environments/prod/requests",
			"environments/prod/requests/" + q.ID, "environments/prod/ledger", "environments/prod/flags/f/history", "environments/staging/ledger",
		} {
			a := p.ask(http.MethodGet, "/api/v1/"+path, "", "Authorization", "Bearer "+secretOf("admin"))
			if a.status != http.StatusOK {
				t.Errorf("%s: %d %s", path, a.status, a.body)
			}
			answers += a.body
		}
		answers += p.log.String()
	}
	for _, text := range []string{subject, nameOf(subject)} {
		if strings.Contains(answers, text) || strings.Contains(stored(t, server), text) {
			t.Errorf("%q is still there", text)
		}
		if found := filesWith(t, server.Dir(), text); len(found) != 0 {
			t.Errorf("%q is in %q", text, found)
		}
	}
	again := r.proposeAs(editor, "g").Author
	if again == "" || again == id {
		t.Errorf("the person who was erased is %q again", again)
	}
}

// The embedded server overwrites a person who was erased, in its files too.
func TestAPersonIsErasedFromTheDataDirectory(t *testing.T) {
	t.Parallel()
	i := newIdentities(t)
	r := governed(t, i.options())
	r.create("prod")
	dir := r.dataDir
	const subject = "lovelace@example.com"
	r.proposeAs(i.token(subject, access.RoleEditor, "flagside", time.Hour), "f")
	if len(filesWith(t, dir, subject)) == 0 || len(filesWith(t, dir, nameOf(subject))) == 0 {
		t.Error("the person is not in the files, so that this test proves nothing")
	}
	if _, err := r.client.ErasePerson(t.Context(), "corp:"+subject, api.AdministrationHeaders{}); err != nil {
		t.Fatal(err)
	}
	r.stop()
	for _, text := range []string{subject, nameOf(subject)} {
		if found := filesWith(t, dir, text); len(found) != 0 {
			t.Errorf("%q is in %q", text, found)
		}
	}
}

// What is refused to an unknown caller, and what is read, leaves nothing of who it was: neither in the streams nor in the log of the publisher.
func TestStrangersLeaveNoTrace(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	i := newIdentities(t)
	o := i.options()
	o.NATS = server.URL()
	r := governed(t, o)
	r.create("prod")
	stranger, viewer := i.token("stranger", "none", "flagside", time.Hour), i.token("viewing", access.RoleViewer, "flagside", time.Hour)
	for what, token := range map[string]string{"stranger": stranger, "viewer": viewer} {
		_, _, err := r.as(token).Put(t.Context(), "prod", flagID("f"), []byte(offDocument), absent(), api.ChangeHeaders{})
		if !refusedWith(err, http.StatusForbidden, "forbidden") {
			t.Errorf("%s puts: %v", what, err)
		}
		_, err = r.as(token).OpenRequest(t.Context(), "prod", api.NewRequest{
			Command: api.Command{Type: "put", Key: "f", IfAbsent: true, Document: []byte(offDocument)},
		}, api.ChangeHeaders{IdempotencyKey: "a key"})
		if !refusedWith(err, http.StatusForbidden, "forbidden") {
			t.Errorf("%s proposes: %v", what, err)
		}
		if _, err := r.as(token).CreateEnvironment(t.Context(), api.NewEnvironment{Name: "new"}, api.AdministrationHeaders{}); !refusedWith(err, http.StatusForbidden, "forbidden") {
			t.Errorf("%s creates: %v", what, err)
		}
		if _, err := r.as(token).ErasePerson(t.Context(), "corp:stranger", api.AdministrationHeaders{}); !refusedWith(err, http.StatusForbidden, "forbidden") {
			t.Errorf("%s erases: %v", what, err)
		}
		if _, err := r.as(token).Persons(t.Context()); !refusedWith(err, http.StatusForbidden, "forbidden") {
			t.Errorf("%s lists persons: %v", what, err)
		}
	}
	if _, err := r.as(viewer).AllRequests(t.Context(), "prod", api.RequestQuery{}); err != nil {
		t.Error(err)
	}
	persons, err := r.client.Persons(t.Context())
	if err != nil || len(persons.Items) != 0 {
		t.Errorf("%+v, %v", persons, err)
	}
	refused := 0
	for _, e := range ledgerOf(t, server.URL()) {
		if e.Type == requests.EventRefused && e.By == access.Unregistered {
			refused++
		}
	}
	if refused != 2 { // those of the viewer; anyone who may not even read is counted in a summary
		t.Errorf("%d refusals are recorded, want 2", refused)
	}
	text := stored(t, server) + r.log.String()
	if strings.Contains(text, "stranger") || strings.Contains(text, "viewing") {
		t.Error("an unknown caller left a trace")
	}
}

// Policies name people as their issuer does, also when a change is applied later and in the absence of its author. No one approves their
// own request, whichever publisher is asked.
func TestPoliciesNamePersons(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	i := newIdentities(t)
	o := i.options()
	o.NATS = server.URL()
	o.Policy = filepath.Join(t.TempDir(), "policy.cedar")
	policy := `permit (principal in Flagside::Group::"flagside:admin", action, resource);
permit (principal == Flagside::Principal::"corp:ada", action, resource);
@id("two") forbid (principal, action in [Flagside::Action::"change", Flagside::Action::"apply"], resource is Flagside::Flag)
unless { context.approvals >= 1 };`
	if err := os.WriteFile(o.Policy, []byte(policy), 0o600); err != nil {
		t.Fatal(err)
	}
	o.FixedTokens = roles()
	r, other := start(t, o), start(t, o)
	r.create("prod")
	ada := i.token("ada", "none", "flagside", time.Hour)
	other.await("the environment", func() bool { _, err := other.Control(t.Context(), "prod"); return err == nil })
	if _, err := r.as(i.token("bob", "none", "flagside", time.Hour)).AllRequests(t.Context(), "prod", api.RequestQuery{}); !refusedWith(err, http.StatusForbidden, "forbidden") {
		t.Errorf("whom no policy names: %v", err)
	}
	opened, err := r.as(ada).OpenRequest(t.Context(), "prod", api.NewRequest{
		Command: api.Command{Type: "put", Key: "f", IfAbsent: true, Document: []byte(offDocument)}, ApplyAt: time.Now().Add(2 * time.Second),
	}, api.ChangeHeaders{IdempotencyKey: "key"})
	if err != nil {
		t.Fatal(err)
	}
	again, err := other.as(ada).OpenRequest(t.Context(), "prod", api.NewRequest{
		Command: api.Command{Type: "put", Key: "f", IfAbsent: true, Document: []byte(offDocument)}, ApplyAt: opened.ApplyAt,
	}, api.ChangeHeaders{IdempotencyKey: "key"})
	if err != nil || again.ID != opened.ID {
		t.Errorf("the same again: %+v, %v", again, err)
	}
	for _, p := range []*running{r, other} {
		if _, err := p.as(ada).ApproveRequest(t.Context(), "prod", opened.ID, opened.Hash, api.ChangeHeaders{}); !refusedWith(err, http.StatusForbidden, "forbidden") {
			t.Errorf("the author approves: %v", err)
		}
	}
	if _, err := r.as(secretOf("admin")).ApproveRequest(t.Context(), "prod", opened.ID, opened.Hash, api.ChangeHeaders{}); err != nil {
		t.Fatal(err)
	}
	r.await("the scheduled change", func() bool {
		now, err := r.as(ada).Request(t.Context(), "prod", opened.ID)
		if err == nil && now.Status == "failed" {
			t.Fatalf("%+v", now.Outcome)
		}
		return err == nil && now.Status == "applied"
	})
}

// An author who was erased could approve as someone else: no one approves such a request any more, and its time does not come.
func TestRequestsOfPersonsWhoWereErased(t *testing.T) {
	t.Parallel()
	i := newIdentities(t)
	r := governed(t, i.options())
	r.create("prod")
	ada := i.token("ada", access.RoleAdmin, "flagside", time.Hour)
	q := r.proposeAs(ada, "f")
	if _, err := r.client.ErasePerson(t.Context(), q.Author, api.AdministrationHeaders{}); err != nil {
		t.Fatal(err)
	}
	for _, who := range []string{ada, secretOf("approver")} {
		if _, err := r.as(who).ApproveRequest(t.Context(), "prod", q.ID, q.Hash, api.ChangeHeaders{}); !refusedWith(err, http.StatusConflict, "not-open") {
			t.Errorf("approve: %v", err)
		}
	}
}

// Without PEOPLE a new person is refused with the reason; known persons and reads continue.
func TestWithoutPeople(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	i := newIdentities(t)
	o := i.options()
	o.NATS = server.URL()
	r := governed(t, o)
	r.create("prod")
	ada, bob := i.token("ada", access.RoleEditor, "flagside", time.Hour), i.token("bob", access.RoleAdmin, "flagside", time.Hour)
	q := r.proposeAs(ada, "f")
	withoutPeople(t, server)
	_, err := r.as(bob).ApproveRequest(t.Context(), "prod", q.ID, q.Hash, api.ChangeHeaders{})
	if !refusedWith(err, http.StatusServiceUnavailable, "people-unavailable") || strings.Contains(err.Error(), "bob") {
		t.Errorf("someone new approves: %v", err)
	}
	if _, err := r.as(bob).CreateEnvironment(t.Context(), api.NewEnvironment{Name: "staging"}, api.AdministrationHeaders{}); !refusedWith(err, http.StatusServiceUnavailable, "people-unavailable") {
		t.Errorf("somebody new creates an environment: %v", err)
	}
	if _, err := r.as(bob).Request(t.Context(), "prod", q.ID); err != nil {
		t.Errorf("someone new reads: %v", err)
	}
	if r.proposeAs(ada, "g").Author != q.Author {
		t.Error("who is known has another id")
	}
}

func withoutPeople(t *testing.T, server *natstest.Server) {
	t.Helper()
	js := natstest.JetStream(t, server.Client(t))
	if err := js.DeleteStream("PEOPLE"); err != nil {
		t.Fatal(err)
	}
}

// Where anybody may read, unknown callers learn what was changed, and not the names of those who did.
func TestNamesAreNotForStrangers(t *testing.T) {
	t.Parallel()
	i := newIdentities(t)
	o := i.options()
	o.AnonymousReads = true
	r := governed(t, o)
	r.create("prod")
	q := r.proposeAs(i.token("ada", access.RoleEditor, "flagside", time.Hour), "f")
	path := "/api/v1/environments/prod/requests/" + q.ID
	if a := r.ask(http.MethodGet, path, "", "Authorization", ""); a.status != http.StatusOK || !strings.Contains(a.body, q.Author) || strings.Contains(a.body, nameOf("ada")) {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := r.ask(http.MethodGet, path, "", "Authorization", "Bearer "+secretOf("viewer")); !strings.Contains(a.body, nameOf("ada")) {
		t.Errorf("%d %s", a.status, a.body)
	}
}
