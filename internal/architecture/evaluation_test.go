package architecture

import (
	"slices"
	"testing"
)

// What an evaluation runs through must not be able to reach for the network, nor wrap anything in policies: a retry or a breaker around
// input and output is right, around an evaluation it costs a hundred times the evaluation.
func TestEvaluationsLinkNoPolicies(t *testing.T) {
	t.Parallel()
	denied := []string{"github.com/failsafe-go/failsafe-go", "github.com/nats-io", module + "/sync"} // with all that lies below it
	for _, folder := range []string{"eval", "cache", "internal/sidecar/resolver", "internal/sidecar/ofrep"} {
		for _, link := range linked(t, folder) {
			if link == module+"/sync/changelog" {
				continue
			}
			if slices.ContainsFunc(denied, func(name string) bool { return below(link, name) }) {
				t.Errorf("%s links %s, which is for what evaluations never wait for", folder, link)
			}
		}
	}
	// A name that is misspelled denies nothing: the sidecar as a whole links the log.
	if !slices.Contains(linked(t, "internal/sidecar"), module+"/sync/follow") {
		t.Error("the sidecar does not link the log under the name that is denied to evaluations")
	}
}
