package upgrade_test

import (
	"encoding/json"
	"fmt"

	"github.com/flagside/flagside/internal/publisher/api"
)

// propose opens a change request at a publisher, for another one to apply.
func (i *installation) propose(place int, key string) (id string) {
	i.t.Helper()
	body := json.RawMessage(`{"state":"ENABLED","variants":{"only":1},"defaultVariant":"only"}`)
	opened, err := i.publishers[place].api.OpenRequest(i.ctx, environment, api.NewRequest{
		Command: api.Command{Type: "put", Key: key, IfAbsent: true, Document: body}, Reason: "before another version takes over",
	}, api.ChangeHeaders{})
	if err != nil {
		i.t.Fatal(err)
	}
	return opened.ID
}

// apply applies a change request of another version.
func (i *installation) apply(place int, id, key string) {
	i.t.Helper()
	applied, err := i.publishers[place].api.ApplyRequest(i.ctx, environment, id, api.ChangeHeaders{})
	if err != nil || applied.Status != "applied" {
		i.t.Fatalf("apply the request of another version: %s, %v", applied.Status, err)
	}
	for n, s := range i.sidecars {
		i.await(fmt.Sprintf("sidecar %d to know %s", n, key), func() bool {
			answer, err := s.process.Evaluate(i.ctx, key, `{}`)
			return err == nil && string(answer.Value) == "1"
		})
	}
}
