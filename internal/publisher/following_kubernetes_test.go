package publisher_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flagside/flagside/internal/kubernetes"
	"github.com/flagside/flagside/internal/kubernetestest"
	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/internal/publisher/api"
	follow "github.com/flagside/flagside/internal/publisher/following"
)

var featureFlags = kubernetes.Resource{Group: "core.openfeature.dev", Version: "v1beta1", Plural: "featureflags", Namespace: "shop"}

// flagSpec is the spec of a FeatureFlag object with flags, each with the default variant that follows its key.
func flagSpec(flags ...string) string {
	var members []string
	for i := 0; i < len(flags); i += 2 {
		members = append(members, fmt.Sprintf("%q:%s", flags[i], flagBody(flags[i+1], "")))
	}
	return fmt.Sprintf(`{"flagSpec":{"flags":{%s}}}`, strings.Join(members, ","))
}

// followingObjects is a publisher with the default policy that follows the objects of the namespace shop.
func followingObjects(t *testing.T, environment string) (*running, *kubernetestest.Server) {
	t.Helper()
	s := kubernetestest.Start(t, "shop")
	r := governed(t, publisher.Options{Sources: []follow.Spec{{Environment: environment, Namespace: "shop"}}, Kubernetes: s.Options()})
	r.create(environment)
	return r, s
}

// told reports whether an object has an Event with a reason and a text in its message.
func told(t *testing.T, s *kubernetestest.Server, object, reason, text string) bool {
	t.Helper()
	return slices.ContainsFunc(s.Events(t, "shop"), func(e kubernetestest.StoredEvent) bool {
		return e.Object == object && e.Reason == reason && strings.Contains(e.Message, text)
	})
}

// Objects become flags that are read-only elsewhere. What is wrong with one is told about it, and changes nothing.
func TestObjectsAreFollowed(t *testing.T) {
	t.Parallel()
	r, s := followingObjects(t, "staging")
	s.PutObject(t, featureFlags, "search", flagSpec("ranking", "on"))
	s.PutObject(t, featureFlags, "cart", flagSpec("express", "on", "gifts", "on"))
	r.awaitVariant("staging", "ranking", "on")
	r.awaitVariant("staging", "gifts", "on")
	r.await("it is told about the object", func() bool { return told(t, s, "search", "Applied", `"ranking" added`) })
	_, seen, err := r.client.Document(t.Context(), "staging", flagID("ranking"))
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = r.client.Put(t.Context(), "staging", flagID("ranking"), flagBody("off", ""), seen, api.ChangeHeaders{})
	if !isProblem(err, http.StatusConflict, "source-owned") || !strings.Contains(err.Error(), "shop/search") {
		t.Errorf("a person changes it: %v", err)
	}
	s.PutObject(t, featureFlags, "search", flagSpec("ranking", "off"))
	r.awaitVariant("staging", "ranking", "off")
	s.PutObject(t, featureFlags, "cart", flagSpec("express", "on"))
	r.awaitVariant("staging", "gifts", "")
	s.PutObject(t, featureFlags, "cart", flagSpec("express", "of"))
	s.PutObject(t, featureFlags, "search", flagSpec("ranking", "on"))
	r.await("the mistake is told", func() bool { return told(t, s, "cart", "Invalid", "defaultVariant") })
	if got, _ := r.variant("staging", "ranking"); got != "off" {
		t.Errorf("a version with a mistake was applied in part: %s", got)
	}
	s.PutObject(t, featureFlags, "cart", flagSpec("express", "off", "ranking", "on"))
	r.await("both objects with the same flag are told", func() bool {
		body := r.ask(http.MethodGet, "/status", "").body
		return strings.Contains(body, "source-broken") && strings.Contains(body, "shop/cart") && strings.Contains(body, "shop/search")
	})
	s.PutObject(t, featureFlags, "cart", flagSpec("express", "off"))
	r.awaitVariant("staging", "ranking", "on")
	s.PutObject(t, featureFlags, "moved", flagSpec("express", "off"))
	s.DeleteObject(featureFlags, "cart")
	r.await("the flag belongs to another object", func() bool {
		_, owner := r.variant("staging", "express")
		return owner == "publisher:kubernetes:shop/moved"
	})
}

// An empty namespace empties nothing, and in prod a deleted object is a change request, which is told about the object.
func TestDeletingObjectsIsSafe(t *testing.T) {
	t.Parallel()
	r, s := followingObjects(t, "prod")
	s.PutObject(t, featureFlags, "search", flagSpec("ranking", "on"))
	s.PutObject(t, featureFlags, "cart", flagSpec("express", "on"))
	r.awaitVariant("prod", "express", "on")
	s.DeleteObject(featureFlags, "cart")
	r.await("the approval is asked for", func() bool { return told(t, s, "cart", "ApprovalRequired", "change request") })
	open, err := r.client.AllRequests(t.Context(), "prod", api.RequestQuery{Status: "open"})
	if err != nil || len(open) != 1 || len(open[0].Changes) != 1 || open[0].Changes[0].Key != "express" {
		t.Fatalf("%+v, %v", open, err)
	}
	s.DeleteObject(featureFlags, "search")
	r.await("the empty namespace is told", func() bool { return strings.Contains(r.ask(http.MethodGet, "/status", "").body, "source-missing") })
	if got, _ := r.variant("prod", "ranking"); got != "on" {
		t.Errorf("the flag is %q", got)
	}
	if open, err = r.client.AllRequests(t.Context(), "prod", api.RequestQuery{Status: "open"}); err != nil || len(open) != 1 || len(open[0].Changes) != 1 {
		t.Errorf("an empty namespace asks for more: %+v, %v", open, err)
	}
}

// Where objects may be listed and not watched they are followed nevertheless, and the API server is asked more and more rarely. The name of an Event
// about an object with a long name is one that Kubernetes takes.
func TestWatchesThatAreForbidden(t *testing.T) {
	t.Parallel()
	r, s := followingObjects(t, "staging")
	var mu sync.Mutex
	asked := 0
	s.Inject(func(method, path string) kubernetestest.Fault {
		if method != http.MethodGet || !strings.HasSuffix(path, "/featureflags") {
			return kubernetestest.Pass
		}
		mu.Lock()
		defer mu.Unlock()
		if asked++; asked%2 == 0 { // a watch follows each list
			return kubernetestest.Forbid
		}
		return kubernetestest.Pass
	})
	s.DropWatches()
	name := strings.Repeat("a", 199) + "." + strings.Repeat("b", 50)
	s.PutObject(t, featureFlags, name, flagSpec("ranking", "on"))
	r.awaitVariant("staging", "ranking", "on")
	time.Sleep(4 * time.Second)
	mu.Lock()
	if asked > 2*8 { // each takes at least half of 0.2, 0.4, 0.8, 1.6, 3.2 seconds and so on
		t.Errorf("the API server was asked %d times", asked)
	}
	mu.Unlock()
	r.await("it is told about the object", func() bool { return told(t, s, name, "Applied", "ranking") })
}

// Lost connections, a compacted history, refusals and a new token are survived, and nothing is missed.
func TestTheAPIServerFails(t *testing.T) {
	t.Parallel()
	r, s := followingObjects(t, "staging")
	s.PutObject(t, featureFlags, "search", flagSpec("ranking", "on"))
	r.awaitVariant("staging", "ranking", "on")
	variants := []string{"off", "on"}
	for i, fail := range []func(){
		s.DropWatches,
		func() { s.Compact(); s.DropWatches() },
		func() {
			s.Inject(func(string, string) kubernetestest.Fault { return kubernetestest.Refuse })
			s.DropWatches()
		},
		func() {
			s.Inject(func(string, string) kubernetestest.Fault { return kubernetestest.Forbid })
			s.DropWatches()
		},
		func() {
			s.Inject(func(string, string) kubernetestest.Fault { return kubernetestest.LoseReply })
			s.DropWatches()
		},
	} {
		fail()
		s.PutObject(t, featureFlags, "search", flagSpec("ranking", variants[i%2]))
		s.Compact()
		s.Inject(nil)
		r.awaitVariant("staging", "ranking", variants[i%2])
	}
}
