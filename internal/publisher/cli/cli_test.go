package cli_test

import (
	"bytes"
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/config"
	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/cli"
	"github.com/flagside/flagside/internal/publisher/cli/transcript"
)

// patience is how long a condition may take on a machine that is busy with other tests.
const patience = 30 * time.Second

// people are who the tests are, by their group.
func people() map[string]string {
	return map[string]string{
		"admin": access.RoleAdmin, "editor": access.RoleEditor, "approver": access.RoleApprover, "viewer": access.RoleViewer,
	}
}

func secretOf(name string) string { return "the-secret-of-the-" + name + "-in-these-tests" }

// serve runs a publisher until the test ends, and returns its address.
func serve(t *testing.T) string {
	t.Helper()
	o := publisher.Options{DataDir: t.TempDir(), AdminAddr: "127.0.0.1:0", NATSAddr: "127.0.0.1:0", GatherReports: time.Millisecond, Logger: zerolog.Nop()}
	for name, group := range people() {
		o.FixedTokens = append(o.FixedTokens, access.FixedToken{
			Secret: secretOf(name), Principal: access.Principal{ID: name, Name: name, Kind: access.KindToken, Groups: []string{group}},
		})
	}
	p, err := publisher.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	t.Cleanup(sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the publisher ended with %v", err)
		}
	}))
	ready, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	if err := p.Ready(ready); err != nil {
		t.Fatal(err)
	}
	return "http://" + p.AdminAddr().String()
}

// run runs a command line as a program would.
func run(ctx context.Context, address, who, stdin string, args ...string) (code int, output string) {
	var out bytes.Buffer
	environment := func(name string) (string, bool) {
		text, ok := map[string]string{"FLAGSIDE_ADMIN": address, "FLAGSIDE_TOKEN": secretOf(who)}[name]
		return text, ok && (name != "FLAGSIDE_TOKEN" || who != "")
	}
	for _, c := range cli.Commands() {
		if len(args) < len(c.Words) || strings.Join(args[:len(c.Words)], " ") != strings.Join(c.Words, " ") {
			continue
		}
		i := c.New()
		action, err := i.Set.Parse(args[len(c.Words):], environment)
		if err == nil && action == config.ActionRun {
			err = i.Check()
		}
		if err != nil {
			return 2, "error: " + err.Error() + "\n"
		}
		if err = i.Run(ctx, commandline.Terminal{Stdin: strings.NewReader(stdin), Stdout: &out}); err != nil {
			fmt.Fprintf(&out, "error: %v\n", err)
		}
		return cli.ExitCode(err), out.String()
	}
	return 2, "error: there is no such command\n"
}

// session is what a person sees: commands and what they answer.
type session struct {
	transcript.Transcript

	t       *testing.T
	address string
}

// run runs a command line and records what it printed. It returns the output.
func (s *session) run(wantCode int, who, stdin, line string) string {
	s.t.Helper()
	args := strings.Split(line, " ")
	for i, arg := range args {
		args[i] = strings.ReplaceAll(arg, "~", " ") // blanks inside words
	}
	code, output := run(s.t.Context(), s.address, who, stdin, args...)
	s.Add("%s$ %s\n%sexit %d\n\n", who, strings.ReplaceAll(line, "~", "_"), output, code)
	if code != wantCode {
		s.t.Errorf("%s: publisher %s: exit code %d, want %d\n%s", who, line, code, wantCode, output)
	}
	return output
}

// wordAfter returns the word that follows text.
func wordAfter(t *testing.T, output, text string) string {
	t.Helper()
	_, rest, found := strings.Cut(output, text)
	if !found {
		t.Fatalf("%q is not in %s", text, output)
	}
	return strings.Trim(strings.Fields(rest)[0], ";:,")
}

const (
	flag = `{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off","owner":"shop","tags":["checkout"]}`
	inFR = `{"in":[{"var":"country"},["FR"]]}`
)

// Everything that the commands print is as it was written down.
func TestSession(t *testing.T) {
	t.Parallel()
	s := &session{t: t, address: serve(t)}
	s.run(0, "admin", "", "environment create staging")
	s.run(0, "admin", "", "environment create prod")
	s.run(0, "editor", "", "whoami")
	documents(s)
	requests(s)
	administration(s)
	golden(t, "testdata/session.txt", s.String())
}

func documents(s *session) {
	s.run(0, "editor", flag, "flag put checkout -e staging -m first~try")
	s.run(0, "editor", flag, "flag put checkout -e staging")
	s.run(4, "editor", flag, "flag put checkout -e staging --create")
	s.run(9, "editor", `{"state":"ENABLED","defaultVariant":"on"}`, "flag put broken -e staging")
	s.run(9, "editor", `{`, "flag put broken -e staging")
	s.run(9, "editor", "state: ENABLED\nvariants: {on: true}\ndefaultVariant: off\n", "flag put broken -e staging")
	s.run(0, "editor", "", "flag toggle checkout off -e staging --dry-run")
	first := s.run(0, "editor", "", "flag toggle checkout off -e staging")
	s.run(0, "editor", `{"defaultVariant":"on","owner":null}`, "flag patch checkout -e staging -m on~for~all")
	s.run(0, "viewer", "", "flag list -e staging")
	s.run(0, "viewer", "", "flag get checkout -e staging")
	s.run(0, "viewer", "", "flag get checkout -e staging -o json")
	s.run(0, "viewer", "", "flag history checkout -e staging")
	s.run(0, "viewer", "", "flag history checkout -e staging -o yaml --limit 1")
	s.run(0, "viewer", flag, "flag diff checkout -e staging --file -")
	s.run(0, "editor", inFR, "segment put french -e staging")
	s.run(0, "editor", "", "segment list -e staging")
	s.run(0, "editor", `{"targeting":{"if":[{"$ref":"french"},"on","off"]}}`, "flag patch checkout -e staging")
	s.run(4, "editor", "", "segment delete french -e staging")
	s.run(0, "editor", "", "segment archive french -e staging --force")
	s.run(9, "editor", "", "flag revive checkout -e staging")
	s.run(0, "editor", "", "segment revive french -e staging")
	s.run(0, "editor", "", "flag revive checkout -e staging --dry-run")
	s.run(0, "editor", "", "flag revive checkout -e staging")
	s.run(4, "editor", "", "flag revive checkout -e staging")
	s.run(5, "editor", "", "flag revive none -e staging")
	s.run(0, "editor", "", "segment archive french -e staging --force")
	revision := wordAfter(s.t, first, "revision ")
	s.run(0, "viewer", "", "flag list -e staging")
	back := s.run(0, "editor", "", "flag rollback checkout -e staging --to "+revision)
	again := " --idempotency-key mine --if-match " + wordAfter(s.t, back, ": revision ")
	s.run(0, "editor", "", "flag toggle checkout on -e staging"+again)
	s.run(0, "editor", "", "flag toggle checkout on -e staging"+again)
	s.run(9, "editor", "", "flag toggle checkout off -e staging"+again)
	s.run(0, "editor", "", "flag rollback checkout -e staging --to "+revision)
	s.run(0, "viewer", "", "flag diff checkout -e staging --from "+revision)
	s.run(5, "viewer", "", "flag diff checkout -e staging --from 00000000-99")
	s.run(5, "viewer", "", "flag diff none -e staging --with prod")
	s.run(5, "viewer", "", "flag get none -e staging")
	s.run(5, "viewer", "", "flag get none -e nowhere")
	s.run(3, "viewer", flag, "flag put other -e staging")
	s.run(3, "", "", "flag list -e staging")
	s.run(2, "viewer", "", "flag toggle checkout maybe -e staging")
	s.run(2, "viewer", "", "flag list")
}

func requests(s *session) {
	s.run(7, "editor", flag, "flag put checkout -e prod")
	s.run(0, "editor", flag, "flag put checkout -e prod --dry-run")
	opened := s.run(0, "editor", flag, "flag put checkout -e prod --propose -m launch")
	id, hash := wordAfter(s.t, opened, "request "), wordAfter(s.t, opened, "hash ")
	s.run(0, "approver", "", "request list -e prod --status open")
	s.run(0, "approver", "", "request get "+id+" -e prod")
	s.run(0, "approver", "", "request comment "+id+" looks~good -e prod")
	s.run(7, "editor", "", "request apply "+id+" -e prod")
	s.run(3, "editor", "", "request approve "+id+" -e prod --hash "+hash)
	s.run(4, "approver", "", "request approve "+id+" -e prod --hash 000000000000")
	s.run(0, "approver", "", "request approve "+id+" -e prod --hash "+hash)
	s.run(0, "editor", "", "request apply "+id+" -e prod")
	s.run(4, "editor", "", "request withdraw "+id+" -e prod")
	s.run(0, "viewer", "", "request get "+id+" -e prod")
	stale(s)
	broken := s.run(0, "admin", "", "flag toggle checkout off -e prod --break-glass -m shop~is~down")
	s.run(0, "viewer", "", "flag history checkout -e prod")
	s.run(0, "approver", "", "request review "+wordAfter(s.t, broken, "request ")+" -e prod -m was~right")
	s.run(0, "viewer", "", "request list -e prod")
	s.run(0, "viewer", "", "audit -e prod --request "+id)
	s.run(0, "viewer", "", "audit -e prod --actor editor --since 1h --limit 2 -o json")
	s.run(0, "viewer", "", "audit -e prod --until 1h")
	s.run(2, "viewer", "", "audit -e prod --since yesterday")
	s.run(0, "viewer", "", "activity -e prod --since 1d")
	s.run(0, "viewer", "", "activity -e prod --flag checkout --limit 3")
	s.run(0, "viewer", "", "activity -e prod --actor approver -o json --limit 1")
	s.run(9, "viewer", "", "activity -e prod --before newest")
	s.run(3, "", "", "activity -e prod")
}

// stale makes a request that something moves under, and makes it anew.
func stale(s *session) {
	opened := s.run(0, "editor", `{"defaultVariant":"on"}`, "flag patch checkout -e prod --propose")
	id, hash := wordAfter(s.t, opened, "request "), wordAfter(s.t, opened, "hash ")
	s.run(0, "admin", `{"description":"moved"}`, "flag patch checkout -e prod --break-glass -m urgent")
	s.run(4, "approver", "", "request approve "+id+" -e prod --hash "+hash)
	s.run(4, "editor", "", "request rebase "+id+" -e prod")
	s.run(0, "editor", `{"defaultVariant":"on"}`, "flag patch checkout -e prod --rebase "+id)
	s.run(0, "editor", "", "request rebase "+id+" -e prod -o json")
	s.run(0, "approver", "", "request reject "+id+" -e prod -m not~now")
	waiting := s.run(0, "editor", "", "flag toggle checkout off -e prod --apply-at 2h --late 10m")
	s.run(0, "editor", "", "request withdraw "+wordAfter(s.t, waiting, "request ")+" -e prod")
}

func administration(s *session) {
	s.run(0, "admin", "", "promote --from prod -e staging --flag checkout")
	s.run(0, "viewer", "", "flag diff checkout -e staging --with prod")
	s.run(0, "viewer", "", "environment risk prod")
	s.run(0, "admin", `{"tags":["payments"],"share":0.5}`, "environment risk staging --file -")
	s.run(0, "admin", "", "environment risk staging --share 0.4 --tags payments,legal")
	s.run(2, "admin", "", "environment risk staging --share many")
	s.run(2, "admin", "", "environment risk staging --file - --protected=true")
	s.run(9, "admin", "", "environment risk staging --share 2")
	s.run(3, "editor", "", "environment risk staging --protected=true")
	s.run(0, "admin", "", "environment create prod-eu")
	s.run(0, "viewer", "", "environment lifecycle prod")
	s.run(0, "viewer", "", "environment lifecycle staging --on-expiry experiment=freeze --dry-run")
	s.run(3, "editor", "", "environment lifecycle staging --on-expiry experiment=freeze")
	s.run(0, "admin", "", "environment lifecycle staging --on-expiry experiment=freeze,permission=propose-removal --freeze-to experiment=off --stale-days 30")
	s.run(9, "admin", "", "environment lifecycle staging --on-expiry ops=freeze")
	s.run(2, "admin", "", "environment lifecycle staging --on-expiry freeze")
	s.run(2, "admin", "", "environment lifecycle staging --stale-days many")
	s.run(2, "admin", "", "environment lifecycle staging --dry-run")
	s.run(0, "admin", "", "environment risk prod-eu --protected=true")
	s.run(0, "admin", "", "environment create shop --protected=true")
	s.run(7, "editor", flag, "flag put checkout -e shop")
	secret := filepath.Join(s.t.TempDir(), "secret")
	s.Name(secret, "SECRET-FILE")
	created := s.run(0, "admin", "", "token create ci --group flagside:viewer --only-environment staging --secret-file "+secret)
	token := wordAfter(s.t, created, "token ")
	s.Name(token, "TOKEN-ID")
	s.run(2, "admin", "", "token create ci")
	s.run(2, "admin", "", "token create ci --group editor")
	s.run(0, "admin", "", "token list -o json")
	s.run(0, "admin", "", "token revoke "+token)
	s.run(3, "editor", "", "token list")
	s.run(0, "admin", "", "person list")
	s.run(5, "admin", "", "person erase corp:nobody")
	s.run(3, "editor", "", "person erase corp:nobody")
	s.run(3, "viewer", "", "environment create mine")
	s.run(0, "viewer", "", "audit -e prod --actor viewer")
	s.run(5, "viewer", "", "operation get none -e prod")
	policies(s)
	s.run(0, "editor", `{"type":"documents","changes":[{"kind":"flag","key":"one","document":`+flag+`},{"key":"two","document":`+flag+`}]}`,
		"request open -e prod -m both~or~none --expires 2h")
	s.run(4, "editor", `{"type":"toggle","key":"checkout","on":true}`, "request open -e prod --dry-run")
	s.run(9, "editor", `{"type":"toggle","flag":"checkout"}`, "request open -e prod")
	before := wordAfter(s.t, s.run(0, "editor", flag, "flag put later -e staging"), ": revision ")
	s.run(0, "editor", `{"owner":"b"}`, "flag patch later -e staging")
	s.run(0, "editor", "", "environment rollback staging --to "+before+" --dry-run")
	s.run(0, "editor", "", "environment rollback staging --to "+before)
	s.run(0, "editor", `{"metadata":{"team":"shop"}}`, "settings put -e staging")
	s.run(0, "viewer", "", "settings get -e staging")
	s.run(5, "viewer", "", "settings get -e prod")
	s.run(0, "admin", "", "environment archive staging")
	s.run(3, "viewer", "", "environment revive staging")
	s.run(0, "admin", "", "environment revive staging")
	s.run(0, "viewer", "", "activity -e staging --limit 2")
	s.run(0, "admin", "", "environment archive staging")
	s.run(5, "admin", "", "environment revive nowhere")
	s.run(2, "admin", "", "environment archive prod --break-glass")
	s.run(3, "admin", "", "environment archive prod")
	s.run(0, "admin", "", "environment archive prod --break-glass -m not~used~any~more")
	s.run(0, "viewer", "", "environment list")
	s.run(0, "viewer", "", "environment get prod")
	s.run(5, "viewer", "", "environment get nowhere")
	text, err := os.ReadFile(secret)
	if err != nil || len(text) < 60 {
		s.t.Errorf("the secret in the file is %q, %v", text, err)
	}
}

func policies(s *session) {
	s.run(0, "editor", "", "policy ask change --resource staging/flag/checkout")
	s.run(7, "editor", "", "policy ask change --resource prod/flag/checkout")
	s.run(3, "viewer", "", "policy ask change --resource staging/flag/checkout -o json")
	s.run(3, "viewer", "", "policy ask change --resource staging --principal editor")
	s.run(0, "admin", "", "policy ask approve --resource prod --principal other --group flagside:approver")
	s.run(2, "admin", "", "policy ask approve --resource prod/flags/x")
}

// golden fails the test unless the file has the text.
func golden(t *testing.T, file, text string) {
	t.Helper()
	if os.Getenv("FLAGSIDE_UPDATE") != "" {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if difference := cmp.Diff(string(want), text); difference != "" {
		t.Errorf("%s differs; FLAGSIDE_UPDATE=1 go test writes it:\n%s", file, difference)
	}
}

// When no one listens nothing can have been done; when the answer is lost it may have been.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	code, output := run(t.Context(), "http://127.0.0.1:1", "editor", flag, "flag", "put", "f", "-e", "prod", "--create")
	if code != 8 || !strings.Contains(output, "does not answer") {
		t.Errorf("no one listens: exit code %d, %s", code, output)
	}
	keys := make(chan string, 10)
	address := listen(t, func(w http.ResponseWriter, r *http.Request) {
		keys <- r.Header.Get("Idempotency-Key")
		panic(http.ErrAbortHandler)
	})
	code, output = run(t.Context(), address, "editor", flag, "flag", "put", "f", "-e", "prod", "--create", "--idempotency-key", "mine")
	if code != 6 || !strings.Contains(output, "--idempotency-key mine --create") {
		t.Errorf("the answer is lost: exit code %d, %s", code, output)
	}
	if key := <-keys; key != "mine" {
		t.Errorf("the idempotency key is %q", key)
	}
	if code, output = run(t.Context(), address, "viewer", "", "flag", "list", "-e", "prod"); code != 8 {
		t.Errorf("a read that is lost: exit code %d, %s", code, output)
	}
}

// Tables show names where the publisher tells them, and ids elsewhere.
func TestTablesShowNames(t *testing.T) {
	t.Parallel()
	address := listen(t, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"items":[{"revision":"1f0c9a7e-2","actor":"QX7","author":"QX7","approvers":["ZK2","token:T"],`+
			`"names":{"QX7":"Ada Lovelace","ZK2":"ZK2 (erased)"}}]}`)
	})
	for command, want := range map[string][]string{
		"flag history f -e prod": {"Ada Lovelace", "ZK2 (erased), token:T"},
		"audit -e prod":          {"Ada Lovelace"},
		"request list -e prod":   {"Ada Lovelace"},
	} {
		code, output := run(t.Context(), address, "viewer", "", strings.Fields(command)...)
		for _, text := range want {
			if code != 0 || !strings.Contains(output, text) || strings.Contains(output, "QX7") {
				t.Errorf("%s: exit code %d, want %q in\n%s", command, code, text, output)
			}
		}
	}
	address = listen(t, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"id":"R","status":"applied","author":"QX7","approvals":[{"by":"ZK2","text":"fine"},{"by":"token:T"}],"names":{"ZK2":"Bob"}}`)
	})
	code, output := run(t.Context(), address, "viewer", "", "request", "get", "R", "-e", "prod")
	if code != 0 || !strings.Contains(output, "Bob: fine; token:T") || !strings.Contains(output, "QX7") {
		t.Errorf("exit code %d, %s", code, output)
	}
}

// The exit code tells what a problem means, whatever else the answer says.
func TestExitCodes(t *testing.T) {
	t.Parallel()
	f := func(want, status int, kind string) {
		t.Helper()
		address := listen(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			fmt.Fprintf(w, `{"type":"urn:flagside:problem:%s","title":"T","status":%d}`, kind, status)
		})
		if code, output := run(t.Context(), address, "viewer", "", "whoami"); code != want {
			t.Errorf("%d %s: exit code %d, want %d\n%s", status, kind, code, want, output)
		}
	}
	f(3, 401, "unauthenticated")
	f(3, 403, "forbidden")
	f(7, 403, "approval-required")
	f(5, 404, "not-found")
	f(4, 409, "in-use")
	f(4, 412, "precondition-failed")
	f(6, 503, "undecided")
	f(4, 410, "environment-archived")
	f(8, 503, "not-ready")
	f(9, 422, "invalid")
	f(9, 413, "too-large")
	f(1, 500, "internal")
}

// A token is not sent where it could be read on its way, and is never an argument.
func TestTokensStaySecret(t *testing.T) {
	t.Parallel()
	if code, output := run(t.Context(), "http://192.0.2.1:8017", "viewer", "", "whoami"); code != 1 || !strings.Contains(output, "use https") {
		t.Errorf("exit code %d, %s", code, output)
	}
	if code, output := run(t.Context(), "http://127.0.0.1:1", "", "", "whoami", "--token", "x"); code != 2 {
		t.Errorf("exit code %d, %s", code, output)
	}
}

// Over TLS, the publisher's certificate is checked against those that are trusted.
func TestTLS(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"id":%q}`, r.Header.Get("Authorization"))
	}))
	t.Cleanup(server.Close)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	file := filepath.Join(t.TempDir(), "ca.pem")
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(file, certificate, 0o600); err != nil {
		t.Fatal(err)
	}
	if code, output := run(t.Context(), server.URL, "viewer", "", "whoami", "--admin-ca", file); code != 0 || !strings.Contains(output, "Bearer "+secretOf("viewer")) {
		t.Errorf("exit code %d, %s", code, output)
	}
	if code, output := run(t.Context(), server.URL, "viewer", "", "whoami"); code != 8 || !strings.Contains(output, "certificate") {
		t.Errorf("a certificate that no one confirms: exit code %d, %s", code, output)
	}
	if code, output := run(t.Context(), server.URL, "viewer", "", "whoami", "--admin-ca", "cli_test.go"); code != 1 || !strings.Contains(output, "no PEM certificate") {
		t.Errorf("a file without certificates: exit code %d, %s", code, output)
	}
}

// listen serves requests until the test ends.
func listen(t *testing.T, handler http.HandlerFunc) (address string) {
	t.Helper()
	server := newServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

// What is wrong with a document from a file is told with file, line and column, whether it is JSON or YAML.
func TestPlacesInFiles(t *testing.T) {
	t.Parallel()
	s := &session{t: t, address: serve(t)}
	s.run(0, "admin", "", "environment create staging")
	dir := t.TempDir()
	for name, test := range map[string]struct {
		content, command string
		code             int
		want             string
	}{
		"flag.yaml":  {"# off\nstate: ENABLED\nvariants: {on: true}\ndefaultVariant: off\n", "flag put f", 9, ":4:17: flag f /defaultVariant: the variant"},
		"flag.json":  {"{\"state\":\"ENABLED\",\n\"variants\":{\"on\":true},\n\"defaultVariant\":\"off\"}", "flag put f", 9, ":3:18: flag f /defaultVariant: the variant"},
		"text.json":  {"{\"state\":\n\"ENABLED\" \"variants\":{}}", "flag put f", 9, ":2:11: this is not JSON"},
		"patch.json": {"{\"state\":\n", "flag patch f", 9, ":2:1: this is not JSON"},
		"other.json": {"{\"state\":\n", "flag diff f", 9, ":2:1: this is not JSON"},
		"open.json":  {"{\"type\":\n", "request open", 9, ":2:1: this is not JSON"},
		"good.yaml":  {"state: ENABLED\nvariants:\n  on: true\ndefaultVariant: on\n", "flag put g", 0, "flag g is written"},
		"sets.yml":   {"metadata: {team: [1]}\n", "settings put", 9, ":1:18: settings environment /metadata/team"},
		"risk.yaml":  {"tags: [legal]\n", "environment risk", 0, "legal"},
	} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(test.content), 0o600); err != nil {
			t.Fatal(err)
		}
		command := test.command + " -e staging --file " + file
		if test.command == "environment risk" {
			command = "environment risk staging --file " + file
		}
		if test.command == "flag diff" {
			command = "flag diff f -e staging --file " + file
		}
		want := test.want
		if test.code != 0 {
			want = file + want
		}
		if code, output := run(t.Context(), s.address, "admin", "", strings.Fields(command)...); code != test.code || !strings.Contains(output, want) {
			t.Errorf("%s: %d, %s; want %d, %s", command, code, output, test.code, want)
		}
	}
}
