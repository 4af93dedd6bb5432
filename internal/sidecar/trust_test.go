package sidecar_test

import (
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/trusttest"
	"github.com/flagside/flagside/internal/waiting"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/writer"
)

// A log that another installation signed gives no flags: a sidecar without others is never ready, and says why.
func TestALogOfAnotherInstallation(t *testing.T) {
	server := natstest.Start(t)
	p, _ := publish(t, server)
	p.put(map[string]string{"greeting": flag(1)})
	other := trusttest.New()
	o := options(server.URL())
	o.Trust = other.Trust
	s := start(t, o)
	waiting.Until(t, "the condition", func() bool { return slices.Contains(s.conditions(), "log-unsigned") })
	p.put(map[string]string{"greeting": flag(2)}) // and what comes later is no better
	waiting.Until(t, "the condition to count that too", func() bool { return strings.Contains(s.detail("log-unsigned"), "none of the 4 messages") })
	if detail := s.detail("log-unsigned"); !strings.Contains(detail, other.Installation) {
		t.Errorf("%q does not name the installation that is trusted", detail)
	}
	if code, body := s.get("/readyz"); code != http.StatusServiceUnavailable || !strings.Contains(body, other.Installation) {
		t.Errorf("/readyz: %d, %s", code, body)
	}
	if status, answer := s.evaluate("greeting"); status != http.StatusServiceUnavailable || answer["errorCode"] != "PROVIDER_NOT_READY" {
		t.Errorf("%d, %v", status, answer)
	}
}

// Seconds at the server of another installation replace nothing of what is known, and are no reason to stop.
func TestAnotherInstallationReplacesNothing(t *testing.T) {
	ours, theirs := natstest.Start(t), natstest.Start(t)
	p, _ := publish(t, ours)
	p.put(map[string]string{"greeting": flag(1)})
	wrong, _ := publishAs(t, theirs, trusttest.New())
	for n := range 3 {
		wrong.put(map[string]string{"greeting": flag(100 + n)})
	}
	o := options(ours.URL())
	o.DataDir = t.TempDir()
	before := start(t, o)
	before.awaitValue("greeting", 1.0)
	before.stop()

	elsewhere := o
	elsewhere.NATS = theirs.URL()
	lost := start(t, elsewhere)
	waiting.Until(t, "the condition", func() bool { return slices.Contains(lost.conditions(), "log-forked") })
	wrong.put(map[string]string{"greeting": flag(200)})
	lost.want("greeting", 1.0)
	lost.stop()

	p.put(map[string]string{"greeting": flag(2)})
	start(t, o).awaitValue("greeting", 2.0)
}

// A sidecar that saw nothing but the log of another installation begins anew when the true server takes its place, however short its log is.
func TestTheTrueServerComesBack(t *testing.T) {
	ours, theirs := natstest.Start(t), natstest.Start(t)
	p, stop := publish(t, ours)
	p.put(map[string]string{"greeting": flag(1)})
	wrong, stopWrong := publishAs(t, theirs, trusttest.New())
	for n := range 10 {
		wrong.put(map[string]string{"greeting": flag(100 + n)})
	}
	s := start(t, options(theirs.URL()))
	waiting.Until(t, "the condition", func() bool { return slices.Contains(s.conditions(), "log-unsigned") })
	stop()
	stopWrong()
	ours.Stop(t)
	theirs.Stop(t)
	replace(t, theirs.Dir(), ours.Dir())
	theirs.Restart(t)
	s.awaitValue("greeting", 1.0)
	publish(t, theirs)
	waiting.Until(t, "the end of the condition", func() bool { return !slices.Contains(s.conditions(), "log-unsigned") && s.Ready() })
}

// replace puts the content of a directory in the place of another.
func replace(t *testing.T, dir, content string) {
	t.Helper()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(dir, os.DirFS(content)); err != nil {
		t.Fatal(err)
	}
}

// A message without a signature stands in the log, is skipped, and is told.
func TestForeignMessages(t *testing.T) {
	server := natstest.Start(t)
	p, _ := publish(t, server)
	p.put(map[string]string{"greeting": flag(1)})
	s := start(t, options(server.URL()))
	s.awaitValue("greeting", 1.0)
	subject := "flags." + environment + "." + changelog.Subject(document.ID{Kind: document.KindFlag, Key: "greeting"})
	if _, err := server.Client(t).Request(subject, []byte(flag(666)), patience); err != nil {
		t.Fatal(err)
	}
	waiting.Until(t, "the condition", func() bool { return s.detail("foreign-messages") == "1 since the start, the last at 4" })
	p.put(map[string]string{"greeting": flag(2)})
	s.awaitValue("greeting", 2.0)
	if !s.Ready() || s.status()["serving"].(map[string]any)["state"] != "live" {
		t.Errorf("status %v", s.status())
	}
}

// lie is a basis that denies what its state holds.
type lie struct{ writer.Basis }

func (lie) Document(document.ID) (document.Document, bool) { return document.Document{}, false }

// A publisher that signs another state than its log adds up to is wrong: what it wrote is served, and nothing calls that live.
func TestAStateThatWasSignedWrongly(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	p, _ := publish(t, server)
	p.put(map[string]string{"greeting": flag(1)})
	o := options(server.URL())
	o.ReadyWhen = "live"
	s := start(t, o)
	s.awaitReady()
	p.basis = lie{p.basis}
	p.put(map[string]string{"greeting": flag(2)})
	waiting.Until(t, "the condition and its reason", func() bool {
		return strings.Contains(s.detail("different-state"), "the publisher that signed it was wrong")
	})
	s.want("greeting", 2.0)
	if s.Ready() || s.status()["serving"].(map[string]any)["state"] != "memory" {
		t.Errorf("status %v", s.status())
	}
	if code, body := s.get("/readyz"); code != http.StatusServiceUnavailable || !strings.Contains(body, "live") {
		t.Errorf("/readyz: %d, %s", code, body)
	}
}

// A publisher whose clock was set back is followed, and that is told: heartbeats that are sent again look the same.
func TestHeartbeatsOfAnotherTime(t *testing.T) {
	server := natstest.Start(t)
	_, stop := publish(t, server)
	s := start(t, options(server.URL()))
	s.awaitReady()
	client := natstest.ConnectPublishers(t, server.URL())
	subscription, err := client.SubscribeSync("heartbeat." + environment)
	if err != nil {
		t.Fatal(err)
	}
	message, err := subscription.NextMsg(patience)
	if err != nil {
		t.Fatal(err)
	}
	stop()
	keys := trusttest.Default()
	h, err := changelog.DecodeHeartbeat(keys.PublisherKeyring(), environment, message.Data, changelog.Signature(message.Header.Get(changelog.ProofHeader)))
	if err != nil {
		t.Fatal(err)
	}
	h.N, h.Time = h.N+100, h.Time.Add(-time.Hour)
	data, signature, err := changelog.EncodeHeartbeat(keys.Signer(), environment, h)
	if err != nil {
		t.Fatal(err)
	}
	message.Data = data
	message.Header.Set(changelog.ProofHeader, string(signature))
	if err := client.PublishMsg(message); err != nil {
		t.Fatal(err)
	}
	waiting.Until(t, "the condition", func() bool { return strings.Contains(s.detail("heartbeats-old"), "the last one is 1h0m") })
	if !s.Ready() {
		t.Errorf("not ready: %v", s.NotReady())
	}
}
