package contracts_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
)

// The SDK of CloudEvents reads what a webhook sends, finds it valid, and finds what happened in it.
func TestWebhooksAreCloudEvents(t *testing.T) {
	events := make(chan cloudevents.Event, 100)
	protocol, err := cloudevents.NewHTTP()
	if err != nil {
		t.Fatal(err)
	}
	handler, err := cloudevents.NewHTTPReceiveHandler(t.Context(), protocol, func(_ context.Context, e cloudevents.Event) { events <- e })
	if err != nil {
		t.Fatal(err)
	}
	receiver := httptest.NewServer(handler)
	t.Cleanup(receiver.Close)
	dir := t.TempDir()
	write(t, dir, "secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	file := write(t, dir, "webhooks.yaml", fmt.Sprintf("webhooks: [{name: sdk, url: %q, secretFiles: [secret], allowPrivate: true}]", receiver.URL))
	s := start(t, []string{"--webhooks", file}, nil)
	s.awaitWebhook(t)
	s.put(t, "told", `{"state":"ENABLED","variants":{"on":true},"defaultVariant":"on"}`)
	late := time.After(time.Minute)
	for {
		select {
		case e := <-events:
			if e.Type() == "dev.flagside.change" && e.Subject() == "told" {
				verifyChange(t, e)
				return
			}
			if err := e.Validate(); err != nil {
				t.Errorf("%s: %v", e, err)
			}
		case <-late:
			t.Fatal("no event about the change within a minute")
		}
	}
}

func verifyChange(t *testing.T, e cloudevents.Event) {
	t.Helper()
	if err := e.Validate(); err != nil {
		t.Errorf("%s: %v", e, err)
	}
	var data struct {
		Type, Revision string
		Documents      []struct{ Kind, Key, Action string }
	}
	if err := e.DataAs(&data); err != nil {
		t.Fatal(err)
	}
	if data.Type != "change" || data.Revision != e.ID() || len(data.Documents) != 1 || data.Documents[0].Key != "told" {
		t.Errorf("the data of the event are %+v", data)
	}
	if e.Time().IsZero() || e.DataContentType() != "application/json" || e.Extensions()["environment"] != environment {
		t.Errorf("the event is %s", e)
	}
}
