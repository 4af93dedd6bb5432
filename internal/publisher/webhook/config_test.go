package webhook

import (
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/internal/publisher/egress"
)

// files are what the file of webhooks may name in these tests.
var files = map[string]string{ //nolint:gochecknoglobals // read only
	"/etc/hooks/one":   "whsec_" + strings.Repeat("QUJD", 8) + "\n",
	"/etc/hooks/two":   "whsec_" + strings.Repeat("REVG", 8),
	"/etc/hooks/short": "whsec_QUJD",
	"/etc/hooks/bare":  strings.Repeat("QUJD", 8),
	"/etc/hooks/slack": "https://hooks.slack.com/services/T0/B0/topsecret\n",
	"/etc/hooks/bad":   "topsecret",
}

func readFiles(file string) ([]byte, error) {
	if text, ok := files[file]; ok {
		return []byte(text), nil
	}
	return nil, fmt.Errorf("open %s: %w", file, os.ErrNotExist)
}

func TestParse(t *testing.T) {
	t.Parallel()
	c, err := Parse("/etc/hooks/webhooks.yaml", []byte(`
requestLink: https://flags.example.com/{environment}/{request}
webhooks:
  - name: audit
    url: https://receiver.example.com/events?key=topsecret
    secretFiles: [one, /etc/hooks/two]
    environments: [prod]
    events: [change, "request.*", break-glass]
    timeout: 5s
  - name: slack
    format: slack
    urlFile: slack
  - name: inside
    url: http://10.1.2.3:8080/
    format: text
    allowPrivate: ["10.1.0.0/16"]
  - name: here
    url: http://localhost:8080/
    format: teams
    allowPrivate: true
`), readFiles)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, w := range c.Webhooks {
		got = append(got, fmt.Sprint(w.Name, " ", w.Host(), " ", w.Format, " ", w.Environments, w.Events, len(w.Secrets), " ", w.Timeout, len(w.AllowPrivate)))
	}
	want := []string{
		"audit https://receiver.example.com cloudevents [prod] [change request.* break-glass] 2 5s 0",
		"slack https://hooks.slack.com slack [] [] 0 10s 0",
		"inside http://10.1.2.3:8080 text [] [] 0 10s 1",
		fmt.Sprint("here http://localhost:8080 teams [] [] 0 10s ", len(egress.PrivateRanges())),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if text := fmt.Sprintf("%v %+v %#v", c.Webhooks[0].Secrets, c.Webhooks[0].Secrets, c.Webhooks[0].Secrets); strings.Contains(text, "ABC") || strings.Contains(text, "QUJD") {
		t.Errorf("a secret is shown: %s", text)
	}
	if got := linkOf(c.RequestLink, "prod", "a/b"); got != "https://flags.example.com/prod/a%2Fb" {
		t.Errorf("the link is %s", got)
	}
}

// A mistake is told with its place, and never with what an address or a secret says.
func TestMistakesHavePlaces(t *testing.T) {
	t.Parallel()
	head := "webhooks:\n- name: a\n  "
	for _, c := range []struct{ text, place, reason string }{
		{"- x", "1:1", "another type of value"},
		{"webhooks: {}", "1:11", "another type of value"},
		{"webhooks:\n- nam: topsecret", "2:8", "unknown member"},
		{"webhooks:\n- name: A topsecret", "2:9", "lower-case"},
		{head + "url: https://u:topsecret@example.com", "3:8", "user name"},
		{head + "url: ftp://example.com/topsecret", "3:8", "begins with https://"},
		{head + "url: \"https://exa mple/topsecret\"", "3:8", "begins with https://"},
		{head + "url: http://example.com/topsecret", "3:8", "want https://"},
		{head + "url: https://127.0.0.1/topsecret", "3:8", "loopback"},
		{head + "url: https://[fe80::1]/topsecret\n  allowPrivate: true", "3:8", "link-local"},
		{head + "url: https://example.com/#topsecret", "3:8", "fragment"},
		{head + "url: https://example.com/topsecret", "2:3", "secretFiles is missing"},
		{head + "format: text", "2:3", "either url or urlFile"},
		{head + "url: https://example.com\n  urlFile: slack", "2:3", "either url or urlFile"},
		{head + "urlFile: nothing", "3:12", "no file has this name"},
		{head + "urlFile: topsecret", "3:12", "no file has this name"},
		{head + "url: https://example.com\n  secretFiles: [topsecret]", "4:17", "no file has this name"},
		{head + "url: https://example.com\n  format: text\n  caFile: topsecret", "5:11", "no file has this name"},
		{head + "urlFile: bad", "3:12", "begins with https://"},
		{head + "url: https://example.com\n  secretFiles: [one, short]", "4:22", "short: it is no secret"},
		{head + "url: https://example.com\n  secretFiles: [bare]", "4:17", "bare: it is no secret"},
		{head + "url: https://example.com\n  secretFiles: [one, one, one, one, one]", "4:16", "4 at most"},
		{head + "url: https://example.com\n  format: xml", "4:11", "want cloudevents"},
		{head + "url: https://example.com\n  format: text\n  timeout: 2h", "5:12", "want a duration"},
		{head + "url: https://example.com\n  format: text\n  events: [change, '[']", "5:20", "pattern"},
		{head + "url: https://example.com\n  format: text\n  events: [change, request.open]", "5:20", "want one of change, break-glass, request.opened, request.rebased"},
		{head + "url: https://example.com\n  format: text\n  events: [changes]", "5:12", "lifecycle.expired"},
		{head + "url: https://example.com\n  format: text\n  events: [Change]", "5:12", "no event has such a type"},
		{head + "url: https://example.com\n  format: text\n  events: ['']", "5:12", "no event has such a type"},
		{head + "url: https://example.com\n  format: text\n  events: ['lifecycle.archive?x']", "5:12", "no event has such a type"},
		{head + "url: https://example.com\n  format: text\n  events: [environment.destroyed]", "5:12", "no event has such a type"},
		{head + "url: https://example.com\n  format: text\n  allowPrivate: 10.0.0.0/8", "5:17", "want true, or a list"},
		{head + "url: https://example.com\n  format: text\n  allowPrivate: [10.1.2.3/8]", "5:18", "is not a network"},
		{head + "url: https://example.com\n  format: text\n  caFile: one", "5:11", "no certificate"},
		{head + "url: https://example.com\n  format: text\n- name: a\n  url: https://example.com\n  format: text", "5:9", "another webhook"},
		{head + "url: https://example.com\n  format: text\n  allowPrivate: [topsecret]", "5:18", "is not a network"},
		{head + "urlFile: https://example.com/topsecret", "3:12", "no name of a file"},
		{head + "url: https://example.com\n  secretFiles: [whsec_topsecret]", "4:17", "no name of a file"},
		{"requestLink: https://example.com/topsecret", "1:14", "{request}"},
		{"requestLink: https://u:topsecret@example.com/{request}", "1:14", "without a user name"},
	} {
		_, err := Parse("/etc/hooks/webhooks.yaml", []byte(c.text), readFiles)
		if err == nil {
			t.Errorf("%q is taken", c.text)
			continue
		}
		if text := err.Error(); !strings.HasPrefix(text, "/etc/hooks/webhooks.yaml:"+c.place+":") || !strings.Contains(text, c.reason) || strings.Contains(text, "topsecret") {
			t.Errorf("%q: %s; want %s, %s", c.text, text, c.place, c.reason)
		}
	}
}

// Every type that the page lists can be asked for, and it lists all.
func TestTypesOfEvents(t *testing.T) {
	t.Parallel()
	for _, kind := range append(types(), "*", "request.*", "environment.*", "lifecycle.*", "[cb]*") {
		if !isKnown(kind) {
			t.Errorf("%s is not known", kind)
		}
	}
	page, err := os.ReadFile("../../../docs/webhooks.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(page), "Types of events: ")
	text, _, _ = strings.Cut(text, "CloudEvents have")
	for _, kind := range types() {
		first, rest, _ := strings.Cut(kind, ".")
		if short := "`." + rest + "`"; !strings.Contains(text, "`"+kind+"`") && !(strings.Contains(text, "`"+first+".") && strings.Contains(text, short)) && kind != breakGlass {
			t.Errorf("the page does not have %s", kind)
		}
	}
}

func TestWhatAWebhookWants(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		events string
		kind   string
		glass  bool
		want   bool
	}{
		{"", "change", false, true},
		{"", "lifecycle.stale", false, true},
		{"change", "change", false, true},
		{"change", "request.opened", false, false},
		{"request.*", "request.opened", false, true},
		{"request.*", "refused", false, false},
		{"refused request.opened", "refused", false, true},
		{"break-glass", "change", false, false},
		{"break-glass", "change", true, true},
		{"*", "environment.archived", false, true},
		{"lifecycle.*", "lifecycle.expired", false, true},
	} {
		if got := (Webhook{Events: strings.Fields(c.events)}).wants(c.kind, c.glass); got != c.want {
			t.Errorf("%q of %s, %t: %t", c.events, c.kind, c.glass, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("webhooks:\n- name: a\n  url: https://example.com/x\n  secretFiles: [one]\n"))
	f.Add([]byte(`{"webhooks":[{"name":"a","urlFile":"slack","format":"slack","allowPrivate":["10.0.0.0/8"]}]}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		c, err := Parse("/etc/hooks/webhooks.yaml", content, readFiles)
		if err != nil {
			return
		}
		for _, w := range c.Webhooks {
			if w.URL == nil || w.URL.Host == "" || w.Timeout < time.Second || w.Format == FormatCloudEvents && len(w.Secrets) == 0 {
				t.Errorf("%q is taken as %+v", content, w)
			}
			if a, err := netip.ParseAddr(w.URL.Hostname()); err == nil && egress.Permit(a, w.AllowPrivate) != nil {
				t.Errorf("%q: %s is taken", content, a)
			}
		}
	})
}
