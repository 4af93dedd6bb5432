package dev_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/client"
	"github.com/flagside/flagside/internal/sidecar"
	"github.com/flagside/flagside/internal/trusttest"
	"github.com/flagside/flagside/internal/waiting"
	"github.com/flagside/flagside/sync/status"
)

// canary is in every context, and is to be nowhere else.
const canary = "canary-7f3a9c"

// previewed is two publishers and sidecars of two applications on one NATS server, and everything that went over it or was logged.
type previewed struct {
	t          *testing.T
	server     *natstest.Server
	publishers [2]onePublisher
	sidecars   []*asked
	logs       locked
	heard      locked
}

// asked is a sidecar.
type asked struct {
	*sidecar.Sidecar

	stop func()
}

// locked is a buffer for several writers.
type locked struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *locked) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func startPreviewed(t *testing.T) *previewed {
	t.Helper()
	p := &previewed{t: t, server: natstest.Start(t)}
	p.publishers = [2]onePublisher{startPublisher(t, p.server), startPublisher(t, p.server)}
	if _, err := p.publishers[0].CreateEnvironment(t.Context(), api.NewEnvironment{Name: natstest.Environment, Protected: new(false)}, api.AdministrationHeaders{}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []*natstest.Client{natstest.ConnectPublishers(t, p.server.URL()), natstest.ConnectSidecars(t, p.server.URL())} {
		if _, err := c.Subscribe(">", func(m *natstest.Heard) { fmt.Fprintf(&p.heard, "%s %v %s\n", m.Subject, m.Header, m.Data) }); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// start starts a sidecar.
func (p *previewed) start(application string, change func(*sidecar.Options)) *asked {
	p.t.Helper()
	o := sidecar.Options{
		Environment: natstest.Environment, NATS: p.server.URL(), NATSNKey: natstest.SidecarKey(p.t), Trust: trusttest.Default().Trust,
		Identity: status.Identity{Application: application, Pod: fmt.Sprint(application, "-", len(p.sidecars))}, DataDir: p.t.TempDir(),
		OFREPAddr: "127.0.0.1:0", ManagementAddr: "127.0.0.1:0", Logger: zerolog.New(&p.logs),
	}
	if change != nil {
		change(&o)
	}
	s, err := sidecar.New(o)
	if err != nil {
		p.t.Fatal(err)
	}
	one := &asked{Sidecar: s, stop: runPart(p.t, s.Run)}
	p.sidecars = append(p.sidecars, one)
	return one
}

// put writes a document and waits until all sidecars serve it and both publishers know so many.
func (p *previewed) put(id document.ID, body string) {
	p.t.Helper()
	c := p.publishers[0]
	_, seen, err := c.Document(p.t.Context(), natstest.Environment, id)
	if err != nil {
		seen = client.Precondition{Absent: true}
	}
	written, _, err := c.Put(p.t.Context(), natstest.Environment, id, []byte(body), seen, api.ChangeHeaders{})
	if err != nil {
		p.t.Fatal(err)
	}
	p.settle(written.Revision)
}

// settle waits until both publishers know that every sidecar serves a revision.
func (p *previewed) settle(revision string) {
	p.t.Helper()
	for _, c := range p.publishers {
		waiting.Until(p.t, "the sidecars to serve "+revision, func() bool {
			found, err := c.Convergence(p.t.Context(), natstest.Environment, revision, api.ConvergenceQuery{WaitMs: 1000, Percent: 100})
			return err == nil && found.Of == len(p.sidecars) && found.Served == found.Of
		})
	}
}

func flagID(key string) document.ID { return document.ID{Kind: document.KindFlag, Key: key} }

// variant asks a sidecar for a flag, and returns the variant, or the error code.
func (p *previewed) variant(s *asked, key, context string) string {
	p.t.Helper()
	answer := p.post(s, "flags/"+key, context)
	if code, _ := answer["errorCode"].(string); code != "" {
		return code
	}
	variant, _ := answer["variant"].(string)
	return variant
}

func (p *previewed) post(s *asked, path, context string) (answer map[string]any) {
	p.t.Helper()
	request, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, "http://"+s.OFREPAddr().String()+"/ofrep/v1/evaluate/"+path, strings.NewReader(`{"context":`+context+`}`))
	if err != nil {
		p.t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	if err := json.Unmarshal(data, &answer); err != nil {
		p.t.Fatalf("%s: %v", data, err)
	}
	return answer
}

// visitors returns contexts of which a known part is of each country and plan.
func visitors(n int) (all []string) {
	random := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		country, plan := "fr", "plain"
		switch r := random.Float64(); {
		case r < 0.3:
			country = "de"
		case r < 0.4:
			country = "us"
		}
		if random.Float64() < 0.15 {
			plan = "gold"
		}
		all = append(all, fmt.Sprintf(`{"targetingKey":"user-%d","country":%q,"plan":%q,"note":%q}`, i, country, plan, canary))
	}
	return all
}

// traffic asks for flags as each visitor, and returns what they were answered, by flag.
func (p *previewed) traffic(visitors []string, keys ...string) map[string][]string {
	p.t.Helper()
	answers := make(map[string][]string)
	for i, v := range visitors {
		for _, key := range keys {
			answers[key] = append(answers[key], p.variant(p.sidecars[i%len(p.sidecars)], key, v))
		}
	}
	return answers
}

// impact asks a publisher what a change would do.
func (p *previewed) impact(c onePublisher, id document.ID, body string) *api.Impact {
	p.t.Helper()
	_, seen, err := c.Document(p.t.Context(), natstest.Environment, id)
	if err != nil {
		p.t.Fatal(err)
	}
	command := api.Command{Type: "put", Kind: string(id.Kind), Key: id.Key, IfMatch: seen.Revision(), Document: []byte(body)}
	found, err := c.PreviewImpact(p.t.Context(), natstest.Environment, command)
	if err != nil {
		p.t.Fatal(err)
	}
	if found.Impact == nil {
		p.t.Fatalf("there is no impact: %+v", found)
	}
	return found.Impact
}

const (
	plainFlag   = `{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off"%s}`
	goldSegment = `{"==":[{"var":"plan"},"gold"]}`
)

// What is predicted of a change is what is measured after it on the same traffic, within five standard deviations of the error of a sample, which is
// up to 128 evaluations of each of three sidecars, and of the rounding of small numbers.
func TestImpactIsPredicted(t *testing.T) {
	t.Parallel()
	p := startPreviewed(t)
	for range 2 {
		p.start("shop", nil)
	}
	p.start("cart", nil)
	segment := document.ID{Kind: document.KindSegment, Key: "gold"}
	p.put(segment, goldSegment)
	dependant := fmt.Sprintf(plainFlag, `,"targeting":{"if":[{"$ref":"gold"},"on"]}`)
	for key, body := range map[string]string{
		"rollout": fmt.Sprintf(plainFlag, ""), "targeted": fmt.Sprintf(plainFlag, ""), "failing": fmt.Sprintf(plainFlag, ""), "first": dependant, "second": dependant, "other": fmt.Sprintf(plainFlag, ""),
	} {
		p.put(flagID(key), body)
	}
	for name, test := range map[string]struct {
		id   document.ID
		body string
		keys []string
	}{
		"percentage": {flagID("rollout"), fmt.Sprintf(plainFlag, `,"targeting":{"fractional":[["on",25],["off",75]]}`), []string{"rollout"}},
		"targeting":  {flagID("targeted"), fmt.Sprintf(plainFlag, `,"targeting":{"if":[{"==":[{"var":"country"},"de"]},"on"]}`), []string{"targeted"}},
		"errors":     {flagID("failing"), fmt.Sprintf(plainFlag, `,"targeting":{"if":[{"==":[{"var":"country"},"us"]},{"var":"country"}]}`), []string{"failing"}},
		"segment":    {segment, `{"in":[{"var":"country"},["de","us"]]}`, []string{"first", "second"}},
	} {
		people := visitors(600)
		before := p.traffic(people, test.keys...)
		impact := p.impact(p.publishers[len(test.keys)%2], test.id, test.body)
		if impact.Answered != 3 || impact.Asked != 3 || impact.Sidecars != 3 || len(impact.Flags) != len(test.keys) || fmt.Sprint(impact.Applications) != "[cart shop]" {
			t.Errorf("%s: %+v", name, impact)
			continue
		}
		p.put(test.id, test.body)
		after := p.traffic(people, test.keys...)
		for _, f := range impact.Flags {
			verifyPrediction(t, name, f, before[f.Key], after[f.Key])
		}
	}
	p.verifySecrecy()
}

// verifyPrediction compares what was said of a flag with what became of it.
func verifyPrediction(t *testing.T, name string, f api.ImpactFlag, before, after []string) {
	t.Helper()
	changed, failed := make(map[string]int), 0
	for i := range before {
		from, to := before[i], after[i]
		if strings.ToUpper(to) == to {
			failed++
			to = ""
		}
		if from != to {
			changed[from+" "+to]++
		}
	}
	if math.Abs(float64(f.Evaluations)-float64(len(before))) > 0.4*float64(len(before)) {
		t.Errorf("%s: %d evaluations of %s, said to be %d", name, len(before), f.Key, f.Evaluations)
	}
	predicted := make(map[string]float64)
	for _, c := range f.Changes {
		predicted[c.From+" "+c.To] = float64(c.N) / float64(f.Evaluations)
	}
	for what, n := range changed {
		share := float64(n) / float64(len(before))
		if got := predicted[what]; math.Abs(got-share) > tolerance(share, f.Samples) {
			t.Errorf("%s: %s: %s: measured %.3f, predicted %.3f: %+v", name, f.Key, what, share, got, f)
		}
		delete(predicted, what)
	}
	if len(predicted) > 0 {
		t.Errorf("%s: %s: predicted and not measured: %v", name, f.Key, predicted)
	}
	share, got := float64(failed)/float64(len(before)), float64(f.ErrorsAfter)/float64(f.Evaluations)
	if math.Abs(got-share) > tolerance(share, f.Samples) || failed == 0 && f.ErrorsAfter > 0 {
		t.Errorf("%s: %s: measured errors of %.3f, predicted %.3f", name, f.Key, share, got)
	}
	if f.Samples < 60 { // a busy machine has no time for all 384
		t.Errorf("%s: only %d samples", name, f.Samples)
	}
}

// tolerance is five standard deviations of a share that is estimated from so many evaluations, and of the rounding of small numbers by three sidecars.
func tolerance(share float64, samples int) float64 {
	n := float64(samples)
	rounding := 3 * 6.0 / (n * n) // the variance of five times a coin that shows one in five is 6 at most
	return 5 * math.Sqrt(share*(1-share)/n+rounding)
}

// verifySecrecy looks for contexts in everything that left the sidecars.
func (p *previewed) verifySecrecy() {
	p.t.Helper()
	if heard := p.heard.String(); strings.Contains(heard, canary) || strings.Contains(heard, "user-1") || !strings.Contains(heard, "status.prod.preview.") {
		p.t.Error("a context was sent, or nothing was heard")
	}
	if logs := p.logs.String(); strings.Contains(logs, canary) || !strings.Contains(logs, "sidecar started") {
		p.t.Error("a context was logged, or nothing was")
	}
	for _, s := range p.sidecars {
		for _, path := range []string{"/metrics", "/status"} {
			response, err := http.Get("http://" + s.ManagementAddr().String() + path)
			if err != nil {
				p.t.Fatal(err)
			}
			text, err := io.ReadAll(response.Body)
			response.Body.Close()
			if err != nil || bytes.Contains(text, []byte(canary)) || len(text) == 0 {
				p.t.Errorf("%s: a context, or %v", path, err)
			}
		}
	}
}

// Sidecars that remember nothing do not answer, those that have started anew remember nothing of before, and what is not known is said to be so.
func TestImpactIsUnknown(t *testing.T) {
	t.Parallel()
	p := startPreviewed(t)
	silent := p.start("shop", func(o *sidecar.Options) { o.NoPreview = true })
	p.put(flagID("checkout"), fmt.Sprintf(plainFlag, ""))
	p.traffic(visitors(50), "checkout")
	changed := fmt.Sprintf(plainFlag, `,"targeting":{"fractional":[["on",50],["off",50]]}`)
	if i := p.impact(p.publishers[0], flagID("checkout"), changed); i.Answered != 0 || i.Asked != 1 || len(i.Flags) != 0 || i.Missing != "" {
		t.Errorf("without memory: %+v", i)
	}
	silent.stop()
	p.sidecars = nil
	waiting.Until(t, "the sidecar to be gone", func() bool {
		return p.impact(p.publishers[0], flagID("checkout"), changed).Missing != ""
	})
	dir := t.TempDir()
	one := p.start("shop", func(o *sidecar.Options) { o.DataDir = dir })
	p.put(flagID("other"), fmt.Sprintf(plainFlag, ""))
	p.traffic(visitors(50), "checkout")
	i := p.impact(p.publishers[1], flagID("checkout"), changed)
	if i.Answered != 1 || len(i.Flags) != 1 || i.Flags[0].Evaluations != 50 || i.Flags[0].Samples != 50 {
		t.Errorf("of fifty: %+v", i)
	}
	one.stop()
	p.sidecars = nil
	p.start("shop", func(o *sidecar.Options) { o.DataDir = dir })
	p.put(flagID("other"), fmt.Sprintf(plainFlag, `,"targeting":{"if":[true,"on"]}`))
	p.traffic(visitors(5), "checkout")
	i = p.impact(p.publishers[0], flagID("checkout"), changed)
	if i.Answered != 1 || len(i.Flags) != 1 || i.Flags[0].Evaluations != 0 || i.Flags[0].TooFew != 5 || len(i.Flags[0].Changes) != 0 {
		t.Errorf("after a restart: %+v", i)
	}
	p.verifySecrecy()
}

// Bulk answers count for each flag that they have, from memory too, and the context is the enriched one.
func TestImpactOfBulkAnswers(t *testing.T) {
	t.Parallel()
	p := startPreviewed(t)
	one := p.start("shop", func(o *sidecar.Options) { o.Context.Static = map[string]string{"region": "eu"} })
	p.put(flagID("checkout"), fmt.Sprintf(plainFlag, ""))
	for _, v := range visitors(30) {
		p.post(one, "flags", v)
		p.post(one, "flags", v) // from memory
	}
	i := p.impact(p.publishers[0], flagID("checkout"), fmt.Sprintf(plainFlag, `,"targeting":{"if":[{"==":[{"var":"region"},"eu"]},"on"]}`))
	if len(i.Flags) != 1 || i.Flags[0].Evaluations != 60 || i.Flags[0].Changed != 60 || i.Flags[0].Changes[0] != (api.ImpactChange{From: "off", To: "on", N: 60}) {
		t.Errorf("%+v", i)
	}
}

// What fails in a preview, or would after the change, is no error of the flag in service: no metric, condition or log line says so, and no evaluation of it
// counts as use. Requests go on meanwhile.
func TestPreviewsLeaveNoTraceInService(t *testing.T) {
	t.Parallel()
	p := startPreviewed(t)
	one := p.start("shop", func(o *sidecar.Options) { o.MetricsPerFlag = 10 })
	p.put(flagID("checkout"), fmt.Sprintf(plainFlag, ""))
	people := visitors(60)
	p.traffic(people, "checkout")
	inService := func() (lines []string) {
		for line := range strings.Lines(p.management(one, "/metrics")) {
			if strings.HasPrefix(line, "flagside_evaluations_total") || strings.HasPrefix(line, "flagside_flag_") || strings.HasPrefix(line, "flagside_condition") ||
				strings.HasPrefix(line, "flagside_usage_series") {
				lines = append(lines, line)
			}
		}
		return lines
	}
	before := inService()
	failing := fmt.Sprintf(plainFlag, `,"targeting":{"if":[{"==":[{"var":"country"},"fr"]},{"var":"country"}]}`)
	for i, body := range []string{failing, strings.Replace(failing, "{", `{"description":"another",`, 1)} {
		impact := p.impact(p.publishers[i], flagID("checkout"), body)
		if impact.Answered != 1 || len(impact.Flags) != 1 || impact.Flags[0].ErrorsAfter < 20 || !impact.Flags[0].Fails {
			t.Fatalf("%+v", impact)
		}
	}
	if diff := cmp.Diff(before, inService()); diff != "" || len(before) < 10 {
		t.Errorf("of %d metrics (-before +after):\n%s", len(before), diff)
	}
	if status := p.management(one, "/status"); !strings.Contains(status, `"erringCount":0`) {
		t.Errorf("the status tells of errors: %s", status)
	}
	for line := range strings.Lines(p.logs.String()) {
		if strings.Contains(line, "checkout") && !strings.Contains(line, `"level":"debug"`) {
			t.Errorf("the log names the flag: %s", line)
		}
	}
	if got := p.variant(one, "checkout", people[0]); got != "off" {
		t.Errorf("the flag answers %s", got)
	}
}

// management returns what the management port says.
func (p *previewed) management(s *asked, path string) string {
	p.t.Helper()
	response, err := http.Get("http://" + s.ManagementAddr().String() + path)
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return string(text)
}
