package publisher_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/client"
)

// rounds is how often the races are run.
func rounds() int {
	if os.Getenv("FLAGSIDE_SOAK") != "" {
		return 1000
	}
	return 25
}

// Several editors who have seen the same revision change it through two publishers at once: exactly one of them wins each time, and the
// others are told that they have not seen the newest.
func TestOneWriterWins(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	one := start(t, publisher.Options{NATS: server.URL()})
	other := start(t, publisher.Options{NATS: server.URL()})
	one.create("prod")
	other.await("the environment of the other publisher", func() bool {
		_, err := other.Control(t.Context(), "prod")
		return err == nil
	})
	seen := one.put("prod", "f", flagBody("on", ""), absent())
	for round := range rounds() {
		var wins atomic.Int32
		var wg sync.WaitGroup
		next := seen
		for editor := range 6 {
			wg.Go(func() {
				desk := []*client.Client{one.client, other.client}[editor%2]
				body := flagBody("on", fmt.Sprintf(`,"description":"round %d, editor %d"`, round, editor))
				_, mine, err := desk.Put(t.Context(), "prod", flagID("f"), body, seen, api.ChangeHeaders{})
				if problem, ok := errors.AsType[*client.Error](err); ok && problem.Status == http.StatusPreconditionFailed {
					return
				}
				if err != nil {
					t.Errorf("round %d: %v", round, err)
					return
				}
				wins.Add(1)
				next = mine
			})
		}
		wg.Wait()
		if n := wins.Load(); n != 1 {
			t.Fatalf("round %d: %d editors have won\n%s\n%s", round, n, one.log, other.log)
		}
		seen = next
	}
	history, err := one.client.History(t.Context(), "prod", flagID("f"), api.HistoryQuery{})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := len(history.Items), min(rounds()+1, 100); got != want {
		t.Errorf("%d changes are in the log, want %d", got, want)
	}
}

// Writers of different flags do not fail because of each other, even where each append but one loses at first.
func TestWritersOfDifferentFlags(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	one := start(t, publisher.Options{NATS: server.URL()})
	other := start(t, publisher.Options{NATS: server.URL()})
	one.create("prod")
	other.await("the environment of the other publisher", func() bool {
		_, err := other.Control(t.Context(), "prod")
		return err == nil
	})
	var wg sync.WaitGroup
	for writer := range 4 {
		wg.Go(func() {
			desk := []*client.Client{one.client, other.client}[writer%2]
			for i := range 10 {
				key := fmt.Sprintf("writer %d, flag %d", writer, i)
				if _, _, err := desk.Put(t.Context(), "prod", flagID(key), flagBody("on", ""), absent(), api.ChangeHeaders{}); err != nil {
					t.Errorf("%s: %v", key, err)
				}
			}
		})
	}
	wg.Wait()
	service, err := other.Control(t.Context(), "prod")
	if err != nil {
		t.Fatal(err)
	}
	state, err := service.Current(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if n := state.Rules().Len(); n != 40 {
		t.Errorf("%d flags, want 40", n)
	}
}
