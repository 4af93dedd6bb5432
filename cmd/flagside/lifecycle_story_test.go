package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/sidecar"
	"github.com/flagside/flagside/internal/waiting"
)

// calendar is a clock that is turned by hand.
type calendar struct {
	mu  sync.Mutex
	now time.Time
}

func (c *calendar) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *calendar) turn(date string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now, _ = time.Parse(time.RFC3339, date+"T09:00:00Z")
}

// story is an installation with a publisher, a sidecar beside an application, and people with tokens.
type story struct {
	t         *testing.T
	calendar  *calendar
	publisher *publisher.Publisher
	sidecar   *sidecar.Sidecar
	tokens    map[string]string // files
	trust     string            // file
}

// tell starts everything on a day.
func tell(t *testing.T, date string) *story {
	t.Helper()
	s := &story{t: t, calendar: &calendar{}, tokens: make(map[string]string)}
	s.calendar.turn(date)
	o := publisher.Options{DataDir: t.TempDir(), AdminAddr: "127.0.0.1:0", NATSAddr: freePort(t), Now: s.calendar.Now, Logger: zerolog.Nop()}
	for name, group := range map[string]string{"olga": access.RoleAdmin, "emma": access.RoleEditor, "paul": access.RoleApprover} {
		secret := "the-secret-token-of-" + name + "-in-this-story"
		s.tokens[name] = filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(s.tokens[name], []byte(secret+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		o.FixedTokens = append(o.FixedTokens, access.FixedToken{Secret: secret, Principal: access.Principal{ID: name, Kind: access.KindToken, Groups: []string{group}}})
	}
	s.publisher, s.trust = startPublisher(t, o), filepath.Join(o.DataDir, "trust")
	s.as("olga", "environment create prod")
	var err error
	s.sidecar, err = sidecar.New(sidecar.Options{
		Environment: "prod", NATS: "nats://" + o.NATSAddr, TrustFile: s.trust, OFREPAddr: "127.0.0.1:0", ManagementAddr: "127.0.0.1:0",
		Logger: zerolog.Nop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- s.sidecar.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return s
}

// as has a person type a command, which must succeed, and returns what it prints.
func (s *story) as(person, command string) string {
	s.t.Helper()
	args := append(strings.Fields(command), "--admin", "http://"+s.publisher.AdminAddr().String(), "--token-file", s.tokens[person])
	code, out := local(s.t, args...)
	if code != exitOK {
		s.t.Fatalf("%s: flagside %s: exit code %d: %s", person, command, code, out)
	}
	return out
}

// until waits until a command prints what matches, and returns that.
func (s *story) until(person, command, pattern string) []string {
	s.t.Helper()
	var found []string
	out := ""
	waiting.Until(s.t, fmt.Sprintf("%q in what flagside %s prints", pattern, command), func() bool {
		out = s.as(person, command)
		found = regexp.MustCompile(pattern).FindStringSubmatch(out)
		if found == nil {
			time.Sleep(100 * time.Millisecond) // each look is a connection, and a publisher takes 256
		}
		return found != nil
	}, printed{&out})
	return found
}

// printed is what a command has printed last.
type printed struct{ text *string }

func (p printed) String() string { return *p.text }

// flag has a person write a flag, with the approval of another one.
func (s *story) flag(key, body string) {
	s.t.Helper()
	file := filepath.Join(s.t.TempDir(), key+".json")
	if err := os.WriteFile(file, []byte(body), 0o600); err != nil {
		s.t.Fatal(err)
	}
	opened := regexp.MustCompile(`change request (\w+)`).FindStringSubmatch(s.as("emma", "flag put "+key+" -e prod --propose -f "+file))
	if opened == nil {
		s.t.Fatalf("no change request for %s", key)
	}
	s.approve(opened[1])
	s.as("emma", "request apply "+opened[1]+" -e prod")
}

// approve has the approver look at a change request and agree.
func (s *story) approve(request string) {
	s.t.Helper()
	hash := regexp.MustCompile(`"hash": ?"(\w+)"`).FindStringSubmatch(s.as("paul", "request get "+request+" -e prod -o json"))
	if hash == nil {
		s.t.Fatalf("change request %s has no hash", request)
	}
	s.as("paul", "request approve "+request+" -e prod --hash "+hash[1])
}

// answers returns how many of a hundred users get each variant of a flag from the sidecar.
func (s *story) answers(flag string) map[string]int {
	s.t.Helper()
	counts := make(map[string]int)
	for i := range 100 {
		body := fmt.Sprintf(`{"context":{"targetingKey":"user-%d"}}`, i)
		url := "http://" + s.sidecar.OFREPAddr().String() + "/ofrep/v1/evaluate/flags/" + flag
		request, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, url, strings.NewReader(body))
		if err != nil {
			s.t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/json")
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			s.t.Fatal(err)
		}
		text, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil {
			s.t.Fatal(err)
		}
		variant := regexp.MustCompile(`"variant":"(\w+)"`).FindSubmatch(text)
		if variant == nil {
			counts["none"]++
			continue
		}
		counts[string(variant[1])]++
	}
	return counts
}

// metrics returns the metrics of the publisher.
func (s *story) metrics() string {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, "http://"+s.publisher.AdminAddr().String()+"/metrics", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}

// An A/B test of the checkout was begun in January, and was to end in June. In March a fraud check came in front of every payment: a kill switch that
// the checkout needs. The A/B test does not know it: half of the users still go around the check. Six months after it began, the test is named with
// its owner, and stopped by policy with the consent of a second person. The fraud check and its switch are not touched.
func TestTheOldExperimentThatBypassesANewControl(t *testing.T) {
	t.Parallel()
	s := tell(t, "2026-01-05")
	s.flag("checkout-ab", `{"state":"ENABLED","kind":"experiment","owner":"team-checkout","expires":"2026-06-30",
		"variants":{"express":"skips-checks","classic":"asks-first"},"defaultVariant":"classic","targeting":{"fractional":[["express",50],["classic",50]]}}`)
	s.until("emma", "lifecycle -e prod --all", `checkout-ab +active`)
	waiting.Until(t, "an experiment", func() bool { a := s.answers("checkout-ab"); return a["express"] > 20 && a["classic"] > 20 })

	s.calendar.turn("2026-03-02")
	const fraud = `{"state":"ENABLED","kind":"ops","owner":"team-risk","variants":{"on":true,"off":false},"defaultVariant":"on"}`
	s.flag("fraud-check", fraud)
	s.flag("checkout", `{"state":"ENABLED","kind":"release","owner":"team-checkout","variants":{"on":true,"off":false},"defaultVariant":"on","offVariant":"off",
		"prerequisites":[{"flag":"fraud-check","variants":["on"]}]}`)

	// Operations switches on what stops such tests. It says at once what it wants: nothing yet.
	if out := s.as("olga", "environment lifecycle prod --on-expiry experiment=freeze --reason audit"); !strings.Contains(out, "nothing of any flag") {
		t.Errorf("the policy: %s", out)
	}

	s.calendar.turn("2026-06-20")
	s.until("emma", "activity -e prod", `lifecycle\.expiring .*checkout-ab \(owner team-checkout\)`)
	s.until("emma", "lifecycle -e prod", `checkout-ab +expiring .*team-checkout`)
	if a := s.answers("checkout-ab"); a["express"] == 0 {
		t.Errorf("before its end: %v", a)
	}

	s.calendar.turn("2026-07-06")
	s.until("emma", "activity -e prod", `lifecycle\.expired .*checkout-ab \(owner team-checkout\)`)
	request := s.until("emma", "lifecycle -e prod", `checkout-ab +expired +2026-07-01 +team-checkout .*freeze to classic: request (\w+) waiting`)[1]
	if out := s.as("paul", "request get "+request+" -e prod"); !strings.Contains(out, "owner team-checkout") || !strings.Contains(out, "2026-07-01") {
		t.Errorf("the request does not say why: %s", out)
	}
	if out := s.metrics(); !strings.Contains(out, `flagside_flags{environment="prod",stage="expired"} 1`) ||
		!strings.Contains(out, `flagside_lifecycle_transitions_total{environment="prod",stage="expired"} 1`) {
		t.Errorf("the metrics do not tell: %s", out)
	}
	if a := s.answers("checkout-ab"); a["express"] == 0 {
		t.Errorf("before a second person has agreed: %v", a)
	}

	s.approve(request)
	waiting.Until(t, "the same answer for everyone", func() bool { return s.answers("checkout-ab")["classic"] == 100 })
	s.until("emma", "lifecycle -e prod", `checkout-ab +expired .* frozen`)
	s.until("emma", "activity -e prod", `change +lifecycle +`+request)
	if out := s.as("emma", "flag history fraud-check -e prod"); strings.Count(out, "\n") != 2 {
		t.Errorf("the switch was touched: %s", out)
	}
	if a := s.answers("fraud-check"); a["on"] != 100 {
		t.Errorf("the switch answers %v", a)
	}
	s.as("olga", "audit verify -e prod --trust-file "+s.trust) // of everything that was told and done
}
