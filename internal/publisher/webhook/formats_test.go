package webhook

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/internal/publisher/api"
)

// change is an event of the log in these tests.
func change() occurrence {
	return occurrence{environment: "prod", id: "0a1b2c3d-42", link: "https://flags.example.com/prod/r1", event: api.Event{
		Time: time.Date(2026, 3, 1, 12, 0, 0, 500, time.FixedZone("", 3600)), Type: "change", Actor: "p1", Request: "r1", Text: "it is time", Revision: "0a1b2c3d-42",
		Names: api.Names{"p1": "Ada", "p2": "Bo"}, Approvers: []string{"p2"}, Documents: []api.EventDocument{{Kind: "flag", Key: "checkout", Action: "put"}},
	}}
}

// opened is an event of a ledger in these tests: a change request waits, and goes without approvals.
func opened() occurrence {
	return occurrence{environment: "prod", id: "LEDGER_prod-7", event: api.Event{
		Sequence: 7, Time: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), Type: "request.opened", Actor: "p9", Request: "7GQ2", Breaks: true,
		Documents: []api.EventDocument{{Kind: "flag", Key: "a"}, {Kind: "segment", Key: "b", Action: "delete"}},
	}}
}

// about is a change of a flag.
func about(key string) occurrence {
	o := change()
	o.event.Documents[0].Key = key
	return o
}

// The SDK of CloudEvents takes what we send, as an event with these attributes.
func TestCloudEvents(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		occurrence
		kind, subject, time string
	}{
		{change(), "dev.flagside.change", "checkout", "2026-03-01T11:00:00.0000005Z"},
		{opened(), "dev.flagside.request.opened", "", "2026-03-01T12:00:00Z"},
		{about("über/ünder"), "dev.flagside.change", "über/ünder", "2026-03-01T11:00:00.0000005Z"},
		{about("no\x01attribute"), "dev.flagside.change", "", "2026-03-01T11:00:00.0000005Z"},
		{about("nor\ufffethis"), "dev.flagside.change", "", "2026-03-01T11:00:00.0000005Z"},
	} {
		body, media, err := encode(FormatCloudEvents, "the-installation", c.occurrence)
		if err != nil || media != cloudevents.ApplicationCloudEventsJSON {
			t.Fatalf("%s, %v", media, err)
		}
		var e cloudevents.Event
		if err := json.Unmarshal(body, &e); err != nil {
			t.Fatalf("%v\n%s", err, body)
		}
		if err := e.Validate(); err != nil {
			t.Errorf("%v\n%s", err, body)
		}
		got := []string{
			e.SpecVersion(), e.ID(), e.Source(), e.Type(), e.Subject(), e.Time().UTC().Format(time.RFC3339Nano), e.DataContentType(), e.Extensions()["environment"].(string),
		}
		want := []string{"1.0", c.id, "urn:flagside:the-installation:prod", c.kind, c.subject, c.time, "application/json", "prod"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
		var data api.Event
		if err := e.DataAs(&data); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff(c.event, data, cmp.Comparer(time.Time.Equal)); diff != "" {
			t.Errorf("the data is not the event (-want +got)\n%s", diff)
		}
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	want := "prod: flags changed\nDocuments: flag checkout\nBy: Ada\nApproved by: Bo\nReason: it is time\nRevision: 0a1b2c3d-42\nTime: 2026-03-01T11:00:00Z\n" +
		"Change request: r1\nhttps://flags.example.com/prod/r1\n"
	if diff := cmp.Diff(want, string(encodeText(change()))); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	want = "prod: change request opened WITHOUT APPROVALS (break glass)\nDocuments: flag a, segment b (deleted)\nBy: p9\nTime: 2026-03-01T12:00:00Z\n" +
		"Change request: 7GQ2\nflagside request show 7GQ2 --environment prod\nflagside request approve 7GQ2 --environment prod\n"
	if diff := cmp.Diff(want, string(encodeText(opened()))); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// hostile is text that people wrote to be more than text.
const hostile = "<!channel> <https://evil.example|click> *b* [x](https://evil.example) \u202egnp.exe \x1b[31m\n\nApprove: yes `$(reboot)` <at>all</at> &amp;"

// In chats, what people wrote is text: it links nowhere, calls no one, and stays on its line.
func TestChatsShowTextAsText(t *testing.T) {
	t.Parallel()
	o := change()
	o.event.Text, o.event.Documents[0].Key, o.event.Names["p1"], o.event.Type = hostile, hostile, hostile, hostile
	for format, check := range map[Format]func(t *testing.T, body any){FormatSlack: slackIsText, FormatTeams: teamsIsText} {
		body, media, err := encode(format, "i", o)
		if err != nil || media != "application/json" {
			t.Fatalf("%s, %v", media, err)
		}
		var decoded any
		if err := json.Unmarshal(body, &decoded); err != nil {
			t.Fatal(err)
		}
		check(t, decoded)
	}
	for line := range strings.Lines(string(encodeText(o))) {
		if strings.ContainsAny(line, "\x1b\u202e") || strings.HasPrefix(line, "Approve:") {
			t.Errorf("the line %q", line)
		}
	}
}

// each calls f for every object in a value, and its parents.
func each(v any, f func(o map[string]any)) {
	switch v := v.(type) {
	case map[string]any:
		f(v)
		for _, member := range v {
			each(member, f)
		}
	case []any:
		for _, item := range v {
			each(item, f)
		}
	}
}

func slackIsText(t *testing.T, body any) {
	t.Helper()
	each(body, func(o map[string]any) {
		text, isText := o["text"].(string)
		switch {
		case !isText:
		case o["type"] == "mrkdwn" && text != "<https://flags.example.com/prod/r1|Open the change request>":
			t.Errorf("markup: %s", text)
		case o["type"] == nil && (strings.ContainsAny(text, "<>") || strings.Contains(text, "|")): // of a notification
			t.Errorf("the notification has markup: %s", text)
		case strings.ContainsAny(text, "\x1b\u202e"):
			t.Errorf("%q", text)
		}
	})
	root := body.(map[string]any)
	for _, b := range root["blocks"].([]any) {
		block := b.(map[string]any)
		if fields, _ := block["fields"].([]any); len(fields) > 10 {
			t.Errorf("%d fields", len(fields))
		}
		if block["type"] == "header" {
			if text := block["text"].(map[string]any)["text"].(string); utf8.RuneCountInString(text) > 150 {
				t.Errorf("a header of %d characters", utf8.RuneCountInString(text))
			}
		}
	}
}

func teamsIsText(t *testing.T, body any) {
	t.Helper()
	each(body, func(o map[string]any) {
		switch o["type"] {
		case "TextBlock", "FactSet": // which are read as Markdown
			t.Errorf("a %s: %v", o["type"], o)
		case "Action.OpenUrl":
			if o["url"] != "https://flags.example.com/prod/r1" {
				t.Errorf("an action: %v", o)
			}
		}
	})
}

// However long a text is, a message stays readable, and chats take it.
func TestMessagesAreBounded(t *testing.T) {
	t.Parallel()
	o := change()
	o.event.Text = strings.Repeat("ü", 100_000)
	for range 1000 {
		o.event.Documents = append(o.event.Documents, api.EventDocument{Kind: "flag", Key: strings.Repeat("k", 1000)})
	}
	for _, format := range []Format{FormatSlack, FormatTeams, FormatText} {
		body, _, err := encode(format, "i", o)
		if err != nil || len(body) > 8<<10 || !utf8.Valid(body) {
			t.Errorf("%s: %d bytes, %v", format, len(body), err)
		}
	}
}

// An event has no more than a bounded size, however many documents it is about, and tells how many are left out. What is large otherwise is told in short.
func TestEventsAreBounded(t *testing.T) {
	t.Parallel()
	many := func(key string) (all []api.EventDocument) {
		for range 1000 {
			all = append(all, api.EventDocument{Kind: "flag", Key: key, Action: "put"})
		}
		return all
	}
	large := &api.RiskSettings{Tags: []string{strings.Repeat("x", maxEvent)}}
	for name, c := range map[string]struct {
		event api.Event
		most  int // documents that are left
		least int
	}{
		"short keys": {api.Event{Type: "change", Text: "why", Documents: many("k")}, 1000, 1000},
		"long keys":  {api.Event{Type: "change", Text: "why", Documents: many(strings.Repeat("\x01", 1024))}, 100, 30},
		"no":         {api.Event{Type: "refused", Text: "why"}, 0, 0},
		"settings":   {api.Event{Type: "settings.risk", Text: "why", Risk: large, Documents: many("k")}, 1000, 1000},
	} {
		got, err := bounded(c.event, maxEvent)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(got)
		if err != nil || len(text) > maxEvent || got.Type != c.event.Type || got.Text != "why" {
			t.Errorf("%s: %d bytes, %v, %s %s", name, len(text), err, got.Type, got.Text)
		}
		if n := len(got.Documents); n < c.least || n > c.most || n+got.More != len(c.event.Documents) {
			t.Errorf("%s: %d documents, and %d more", name, n, got.More)
		}
	}
	o := occurrence{event: api.Event{Documents: many("k")[:1], More: 999}}
	if got := documents(o.event.Documents, o.event.More); got != "flag k, and 999 more" || o.subject() != "" {
		t.Errorf("%q, about %q", got, o.subject())
	}
}

func FuzzDecodeStored(f *testing.F) {
	f.Add([]byte(`{"v":1,"place":{"log":{"epoch":"","revision":1,"digest":""},"ledger":1},"count":1,"id":"a-1","event":{"time":"2026-01-01T00:00:00Z","type":"change"}}`))
	f.Add([]byte(`{"v":2}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := decodeStored(data)
		if err != nil {
			return
		}
		if s.Event != nil {
			for _, format := range []Format{FormatCloudEvents, FormatSlack, FormatTeams, FormatText} {
				_, _, _ = encode(format, "i", occurrence{environment: "prod", id: s.ID, event: *s.Event})
			}
		}
		again, err := s.encode()
		if err != nil {
			return // text that is no UTF-8
		}
		if _, err := decodeStored(again); err != nil {
			t.Errorf("%q became %q: %v", data, again, err)
		}
	})
}
