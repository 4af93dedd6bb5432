package dev_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/exposurekey"
	"github.com/flagside/flagside/internal/logtest"
	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/client"
	"github.com/flagside/flagside/internal/sidecar"
	"github.com/flagside/flagside/internal/trusttest"
	"github.com/flagside/flagside/internal/waiting"
	"github.com/flagside/flagside/sync/usage"
)

// experiment is an installation with the flag checkout, which asks for exposures, and a sidecar with a key for them.
type experiment struct {
	t         *testing.T
	server    *natstest.Server
	publisher onePublisher
	key       exposurekey.Key
	keyFile   string
	dir       string
	logs      *logtest.Log
	sidecar   *sidecar.Sidecar
	stop      func()
	shown     strings.Builder // what the sidecar and the publisher have answered
}

func newExperiment(t *testing.T) *experiment {
	t.Helper()
	x := &experiment{t: t, server: natstest.Start(t), key: exposurekey.New(), dir: t.TempDir(), logs: &logtest.Log{}}
	x.keyFile = filepath.Join(t.TempDir(), "exposure.key")
	if err := os.WriteFile(x.keyFile, x.key.Text(), 0o600); err != nil {
		t.Fatal(err)
	}
	x.publisher = startPublisher(t, x.server, func(o *publisher.Options) { o.Logger = zerolog.New(x.logs) })
	if _, err := x.publisher.CreateEnvironment(t.Context(), api.NewEnvironment{Name: natstest.Environment, Protected: new(false)}, api.AdministrationHeaders{}); err != nil {
		t.Fatal(err)
	}
	for key, body := range map[string]string{
		"checkout": `{"state":"ENABLED","variants":{"short":true,"classic":false},"defaultVariant":"classic","exposures":true,` +
			`"targeting":{"if":[{"in":["canary",{"var":"email"}]},"short",{"fractional":[["short",50],["classic",50]]}]}}`,
		"words":   `{"state":"ENABLED","variants":{"a":"x"},"defaultVariant":"a","exposures":true}`,
		"plain":   `{"state":"ENABLED","variants":{"on":true},"defaultVariant":"on"}`,
		"nothing": `{"state":"DISABLED","variants":{"on":true},"defaultVariant":"on","exposures":true}`,
		"code":    `{"state":"ENABLED","variants":{"on":true},"exposures":true}`,
		"failing": `{"state":"ENABLED","variants":{"on":true},"defaultVariant":"on","exposures":true,"targeting":{"var":"email"}}`,
	} {
		id := document.ID{Kind: document.KindFlag, Key: key}
		if _, _, err := x.publisher.Put(t.Context(), natstest.Environment, id, []byte(body), client.Precondition{Absent: true}, api.ChangeHeaders{}); err != nil {
			t.Fatal(err)
		}
	}
	x.start()
	return x
}

func (x *experiment) start() {
	x.t.Helper()
	var err error
	x.sidecar, err = sidecar.New(sidecar.Options{
		Environment: natstest.Environment, NATS: x.server.URL(), NATSNKey: natstest.SidecarKey(x.t), Trust: trusttest.Default().Trust, DataDir: x.dir,
		OFREPAddr: "127.0.0.1:0", ManagementAddr: "127.0.0.1:0", FlagdAddr: "127.0.0.1:0", FlagdSyncAddr: "127.0.0.1:0", UsageInterval: 40 * time.Millisecond,
		ExposureKeyFile: x.keyFile, Logger: zerolog.New(x.logs).Level(zerolog.DebugLevel),
	})
	if err != nil {
		x.t.Fatal(err)
	}
	x.stop = runPart(x.t, x.sidecar.Run)
	waiting.Until(x.t, "the sidecar is ready", x.sidecar.Ready)
	waiting.Until(x.t, "all flags are served", func() bool { return x.post(x.ofrep("/ofrep/v1/evaluate/flags/plain"), `{}`) == http.StatusOK })
}

func (x *experiment) ofrep(path string) string {
	return "http://" + x.sidecar.OFREPAddr().String() + path
}

func (x *experiment) rpc(method string) string {
	return "http://" + x.sidecar.FlagdAddr().String() + "/flagd.evaluation.v1.Service/" + method
}

// post sends a body, and returns the status of the answer, which is kept.
func (x *experiment) post(address, body string) int { return x.send(http.MethodPost, address, body) }

func (x *experiment) send(method, address, body string) int {
	x.t.Helper()
	request, err := http.NewRequestWithContext(x.t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		x.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		x.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		x.t.Fatal(err)
	}
	fmt.Fprintf(&x.shown, "%s %v %s\n", address, response.Header, text)
	return response.StatusCode
}

// reports returns the reports of the stream, each once.
func (x *experiment) reports() (all []usage.Report) {
	x.t.Helper()
	seen := map[string]bool{}
	for _, m := range natstest.Stored(x.t, natstest.ConnectPublishers(x.t, x.server.URL()), "USAGE_"+natstest.Environment) {
		r, err := usage.Decode(m.Data)
		if err != nil {
			x.t.Fatal(err)
		}
		if id := usage.ID(r.Boot, r.N); !seen[id] {
			seen[id] = true
			all = append(all, r)
		}
	}
	return all
}

// events returns how often each subject was exposed to each flag, and how often each outcome of a subject is in reports.
func (x *experiment) events() (exposures, outcomes map[string]int) {
	x.t.Helper()
	exposures, outcomes = map[string]int{}, map[string]int{}
	for _, r := range x.reports() {
		for _, e := range r.Exposures {
			exposures[e.Flag+" "+e.Subject]++
		}
		for _, o := range r.Outcomes {
			outcomes[o.Event+" "+o.Subject]++
		}
		if r.Lost != (usage.Lost{}) {
			x.t.Errorf("%+v lost", r.Lost)
		}
	}
	return exposures, outcomes
}

func (x *experiment) subject(targetingKey string) string {
	sum := x.key.Hasher(natstest.Environment).Subject(targetingKey)
	return hex.EncodeToString(sum[:])
}

// What clients are shown and tell is what reports have, once, while the sidecar stops and starts and the server is gone for a while.
func TestExposuresAndOutcomesAreConserved(t *testing.T) {
	t.Parallel()
	x := newExperiment(t)
	users := 0
	use := func(n int) {
		t.Helper()
		for range n {
			users++
			for range 2 {
				if status := x.post(x.ofrep("/ofrep/v1/evaluate/flags/checkout"), fmt.Sprintf(`{"context":{"targetingKey":"user-%d"}}`, users)); status != http.StatusOK {
					t.Fatalf("status %d", status)
				}
				if status := x.post(x.rpc("ResolveString"), fmt.Sprintf(`{"flagKey":"words","context":{"targetingKey":"user-%d"}}`, users)); status != http.StatusOK {
					t.Fatalf("status %d", status)
				}
			}
			if status := x.post(x.ofrep("/v1/events"), fmt.Sprintf(`[{"event":"bought","targetingKey":"user-%d","value":9.5,"flags":["checkout"]},{"event":"seen","targetingKey":"user-%d"}]`, users, users)); status != http.StatusAccepted {
				t.Fatalf("status %d", status)
			}
		}
	}
	use(40)
	x.stop()
	x.start()
	use(40)
	x.server.Stop(t)
	use(40)
	x.stop() // without being able to send
	if found, err := filepath.Glob(filepath.Join(x.dir, "usage", "*")); err != nil || len(found) == 0 {
		t.Error("nothing waits on disk", err)
	}
	x.server.Restart(t)
	x.start()
	use(40)
	x.stop()
	waiting.Until(t, "everything is in reports", func() bool {
		exposures, outcomes := x.events()
		return len(exposures) >= 2*users && len(outcomes) >= 2*users
	})
	exposures, outcomes := x.events()
	for i := 1; i <= users; i++ {
		subject := x.subject(fmt.Sprint("user-", i))
		for name, n := range map[string]int{"checkout": exposures["checkout "+subject], "words": exposures["words "+subject], "bought": outcomes["bought "+subject], "seen": outcomes["seen "+subject]} {
			if n != 1 {
				t.Fatalf("user %d: %s %d times", i, name, n)
			}
		}
	}
	if len(exposures) != 2*users || len(outcomes) != 2*users {
		t.Errorf("%d exposures and %d outcomes of %d users", len(exposures), len(outcomes), users)
	}
}

// What is no exposure: a bulk answer, an explanation, an error, the code default, a type that was not asked for, no targeting key, another flag.
func TestWhatIsNoExposure(t *testing.T) {
	t.Parallel()
	x := newExperiment(t)
	const context = `{"context":{"targetingKey":"u","email":5}}`
	x.post(x.ofrep("/ofrep/v1/evaluate/flags"), context)
	x.post(x.rpc("ResolveAll"), context)
	x.post("http://"+x.sidecar.ManagementAddr().String()+"/explain/checkout", context)
	for _, key := range []string{"plain", "nothing", "code", "failing", "gone"} {
		x.post(x.ofrep("/ofrep/v1/evaluate/flags/"+key), context)
		x.post(x.rpc("ResolveBoolean"), `{"flagKey":"`+key+`",`+context[1:])
	}
	x.post(x.rpc("ResolveString"), `{"flagKey":"checkout",`+context[1:])
	x.post(x.ofrep("/ofrep/v1/evaluate/flags/checkout"), `{"context":{"email":"x"}}`)
	x.post(x.ofrep("/ofrep/v1/evaluate/flags/checkout"), `{"context":{"targetingKey":""}}`)
	x.post(x.ofrep("/v1/events"), `{"event":"last"}`)
	x.stop()
	exposures, outcomes := x.events()
	if len(exposures) != 0 || outcomes["last "] != 1 {
		t.Errorf("%v, %v", exposures, outcomes)
	}
}

// A canary in contexts and targeting keys, in good requests and bad ones, of all faces, appears in no log, no file, no stream, no metric and no answer but
// to who sent it. What may be told of a request, the name of an outcome, is found in all places in which the canary is looked for.
func TestContextsStayInThePod(t *testing.T) {
	t.Parallel()
	const canary, control = "canary-8f3a61", "control-5d2e90"
	x := newExperiment(t)
	x.server.Stop(t) // so that reports wait on disk
	evaluation := `{"context":{"targetingKey":"` + canary + `","email":"` + canary + `@example.com","deep":{"list":["` + canary + `"]}}}`
	for _, body := range []string{
		evaluation, `{"context":{"targetingKey":"` + canary + `","targetingKey":"` + canary + `"}}`, `{"context":{"targetingKey":"` + canary, `{"context":"` + canary + `"}`,
		`{"context":{"targetingKey":{"` + canary + `":"` + canary + `"}}}`,
	} {
		for _, key := range []string{"/checkout", "/words", "/plain", "/failing", "/code", "/gone", ""} {
			x.post(x.ofrep("/ofrep/v1/evaluate/flags"+key), body)
		}
		for _, method := range []string{"ResolveBoolean", "ResolveString", "ResolveAll"} {
			x.post(x.rpc(method), strings.Replace(body, `{"context"`, `{"flagKey":"checkout","context"`, 1))
		}
	}
	x.shown.Reset() // the sender may be told what is wrong with what it sent, which the library of flagd's protocol quotes
	for _, body := range []string{
		`{"event":"` + control + `","targetingKey":"` + canary + `"}`, `{"targetingKey":"` + canary + `","exposure":{"flag":"words","variant":"a"}}`,
		`{"event":"x","targetingKey":["` + canary + `"]}`, `{"event":"x","value":"` + canary + `"}`, `{"event":"x"} ` + canary, `[{"targetingKey":"` + canary + `"}]`,
	} {
		x.post(x.ofrep("/v1/events"), body)
	}
	if text := x.shown.String(); !strings.Contains(text, "/targetingKey: want a string") || strings.Contains(text, canary) {
		t.Errorf("an answer has the canary:\n%s", text)
	}
	subject := x.subject(canary)
	places := map[string]func() string{}
	var spool string
	waiting.Until(t, "a report waits on disk", func() bool {
		spool = contents(t, filepath.Join(x.dir, "usage"))
		return strings.Contains(spool, control) && strings.Contains(spool, subject)
	})
	places["the spool"] = func() string { return spool }
	x.server.Restart(t)
	waiting.Until(t, "the report has arrived", func() bool { _, outcomes := x.events(); return outcomes[control+" "+subject] == 1 })
	exposures, _ := x.events()
	if exposures["checkout "+subject] != 1 || exposures["words "+subject] != 1 {
		t.Errorf("%v", exposures)
	}
	waiting.Until(t, "the report is folded", func() bool {
		all, err := x.publisher.Usage(t.Context(), natstest.Environment, api.UsageQuery{})
		return err == nil && len(all.Flags) > 0 && all.Flags[0].Week > 0
	})
	streams := func() string {
		var text strings.Builder
		for _, c := range []*natstest.Client{natstest.ConnectPublishers(t, x.server.URL()), x.server.Client(t)} {
			js := natstest.JetStream(t, c)
			for name := range js.StreamNames() {
				for _, m := range natstest.Stored(t, c, name) {
					fmt.Fprintf(&text, "%s %s %v %s\n", name, m.Subject, m.Header, m.Data)
				}
			}
		}
		return text.String()
	}
	places["the streams"] = streams
	for name, place := range places {
		if text := place(); !strings.Contains(text, control) || strings.Contains(text, canary) {
			t.Errorf("%s: the canary is there: %t, the control: %t", name, strings.Contains(text, canary), strings.Contains(text, control))
		}
	}
	x.shown.Reset()
	for _, path := range []string{"/metrics", "/status", "/healthz", "/readyz"} {
		x.send(http.MethodGet, "http://"+x.sidecar.ManagementAddr().String()+path, "")
	}
	flag, err := x.publisher.FlagUsage(t.Context(), natstest.Environment, "checkout", api.FlagUsageQuery{})
	all, err2 := x.publisher.Usage(t.Context(), natstest.Environment, api.UsageQuery{})
	unknown, err3 := x.publisher.UnknownFlags(t.Context(), natstest.Environment, api.UnknownFlagsQuery{})
	if err != nil || err2 != nil || err3 != nil {
		t.Fatal(err, err2, err3)
	}
	fmt.Fprintf(&x.shown, "%+v %+v %+v", flag, all, unknown)
	x.stop()
	x.publisher.stop()
	for name, text := range map[string]string{
		"answers and metrics": x.shown.String(), "logs": x.logs.String(), "the store of the server": contents(t, x.server.Dir()),
	} {
		if !strings.Contains(text, "checkout") {
			t.Errorf("%s: nothing was found there", name)
		}
		text += contents(t, x.dir)
		for _, secret := range []string{canary, string(x.key), strings.TrimSpace(string(x.key.Text())), hex.EncodeToString(x.key)} {
			if strings.Contains(text, secret) {
				t.Errorf("%s: the canary or the key is there", name)
			}
		}
	}
}

// contents returns the bytes of all files in a directory.
func contents(t *testing.T, dir string) string {
	t.Helper()
	var all bytes.Buffer
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return nil //nolint:nilerr // files come and go meanwhile
		}
		if text, err := os.ReadFile(path); err == nil {
			all.WriteString(path + "\n")
			all.Write(text)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}
