package webhook

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/flagside/flagside/internal/logtest"
	"github.com/flagside/flagside/internal/waiting"
)

func newInbox(t *testing.T) *inbox {
	t.Helper()
	i := &inbox{t: t}
	i.address = serve(t, i.receive)
	return i
}

func (i *inbox) receive(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // its publisher was killed
	}
	library, _ := standard.NewWebhook(secretText)
	if err := library.Verify(body, r.Header); err != nil {
		i.t.Errorf("a signature: %v", err)
	}
	var e cloudevents.Event
	if err := json.Unmarshal(body, &e); err != nil || e.Validate() != nil || e.ID() != r.Header.Get(idHeader) {
		i.t.Errorf("an event: %v, %v\n%s", err, e.Validate(), body)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	status := http.StatusNoContent
	if i.answer != nil {
		status = i.answer(i.asked)
	}
	i.asked++
	if status/100 == 2 || status == http.StatusGatewayTimeout { // of which the answer was lost
		i.ids = append(i.ids, e.ID())
	}
	w.WriteHeader(status)
}

// answers has it answer so from now on.
func (i *inbox) answers(answer func(n int) int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.answer = answer
}

func (i *inbox) got() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Clone(i.ids)
}

// await waits until everything has arrived, and checks that it came in order, first times counted.
func (i *inbox) await(want []string, logs *logtest.Log) {
	i.t.Helper()
	waiting.Until(i.t, fmt.Sprintf("%d events arrive", len(want)), func() bool { return len(firsts(i.got())) >= len(want) }, logs)
	if got := firsts(i.got()); !slices.Equal(got, want) {
		i.t.Fatalf("got  %v\nwant %v", got, want)
	}
}

// firsts leaves out what came before.
func firsts(ids []string) (first []string) {
	seen := make(map[string]bool)
	for _, id := range ids {
		if !seen[id] {
			first = append(first, id)
		}
		seen[id] = true
	}
	return first
}
