package kubernetes_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flagside/flagside/internal/kubernetes"
	"github.com/flagside/flagside/internal/kubernetestest"
	"github.com/flagside/flagside/internal/waiting"
)

var flags = kubernetes.Resource{Group: "core.openfeature.dev", Version: "v1beta1", Plural: "featureflags", Namespace: "shop"}

func names(all []kubernetes.Object) (list []string) {
	for _, o := range all {
		list = append(list, o.Metadata.Name)
	}
	return list
}

// A list is of one time, also where it has several pages and objects come and go between them.
func TestListIsOfOneTime(t *testing.T) {
	t.Parallel()
	s := kubernetestest.Start(t, "shop")
	c := s.Client(t)
	for i := range 50 {
		s.PutObject(t, flags, fmt.Sprintf("f-%02d", i), `{"n":1}`)
	}
	pages := 0
	s.Inject(func(method, path string) kubernetestest.Fault { // called with the lock held, so the change is made beside
		if pages++; pages == 2 {
			go func() {
				s.DeleteObject(flags, "f-49")
				s.PutObject(t, flags, "f-99", `{"n":1}`)
			}()
		}
		return kubernetestest.Pass
	})
	all, version, err := c.List(t.Context(), flags)
	if err != nil || len(all) != 50 || all[49].Metadata.Name != "f-49" || version == "" || string(all[0].Spec) != `{"n":1}` || all[0].Metadata.UID == "" {
		t.Fatalf("%v, %q, %v", names(all), version, err)
	}
	s.Inject(nil)
	waiting.Until(t, "what came between is listed", func() bool {
		all, _, err := c.List(t.Context(), flags)
		return err == nil && len(all) == 50 && all[49].Metadata.Name == "f-99"
	})
	s.Inject(func(string, string) kubernetestest.Fault { return kubernetestest.Forbid })
	if _, _, err := c.List(t.Context(), flags); !errors.Is(err, kubernetes.ErrForbidden) {
		t.Errorf("forbidden: %v", err)
	}
}

// A namespace with more than fits is not read to its end: who may write objects cannot fill the memory of who reads them.
func TestAListIsBounded(t *testing.T) {
	t.Parallel()
	s := kubernetestest.Start(t, "shop")
	spec := fmt.Sprintf(`{"n":%q}`, strings.Repeat("n", 1<<20))
	for i := range kubernetes.MaxObjects>>20 + 40 {
		s.PutObject(t, flags, fmt.Sprintf("f-%03d", i), spec)
	}
	pages := 0
	s.Inject(func(string, string) kubernetestest.Fault { pages++; return kubernetestest.Pass })
	if _, _, err := s.Client(t).List(t.Context(), flags); !errors.Is(err, kubernetes.ErrTooMuch) || pages != 4 {
		t.Errorf("after %d pages: %v", pages, err)
	}
}

// A watch goes on behind a version, with everything in order, and says when it cannot.
func TestWatchTellsEverythingInOrder(t *testing.T) {
	t.Parallel()
	s := kubernetestest.Start(t, "shop")
	c := s.Client(t)
	s.PutObject(t, flags, "old", `{"n":0}`)
	_, version, err := c.List(t.Context(), flags)
	if err != nil {
		t.Fatal(err)
	}
	first := version
	s.SetBookmarks(20 * time.Millisecond)
	go func() {
		for i := range 20 {
			s.PutObject(t, flags, "a", fmt.Sprintf(`{"n":%d}`, i))
			if i%5 == 4 {
				s.DropWatches()
			}
		}
		s.DeleteObject(flags, "a")
		s.PutObject(t, kubernetes.Resource{Group: flags.Group, Version: flags.Version, Plural: flags.Plural, Namespace: "other"}, "b", `{}`)
	}()
	var told []string
	enough := errors.New("enough")
	for !errors.Is(err, enough) {
		err = c.Watch(t.Context(), flags, version, func(change kubernetes.Change) error {
			version = change.Object.Metadata.ResourceVersion
			if change.Type == kubernetes.Bookmark {
				if slices.ContainsFunc(told, func(s string) bool { return strings.HasPrefix(s, "DELETED") }) {
					return enough
				}
				return nil
			}
			told = append(told, fmt.Sprintf("%s %s %s", change.Type, change.Object.Metadata.Name, change.Object.Spec))
			return nil
		})
	}
	if len(told) != 21 || told[0] != `ADDED a {"n":0}` || told[19] != `MODIFIED a {"n":19}` || told[20] != `DELETED a {"n":19}` {
		t.Errorf("%q", told)
	}
	s.Compact()
	if err := c.Watch(t.Context(), flags, first, func(kubernetes.Change) error { return nil }); !errors.Is(err, kubernetes.ErrExpired) {
		t.Errorf("behind what was compacted: %v", err)
	}
}

// A watch that hears nothing, not even bookmarks, is given up, and so is one whose client goes away.
func TestASilentWatchEnds(t *testing.T) {
	t.Parallel()
	s := kubernetestest.Start(t, "shop")
	_, version, err := s.Client(t).List(t.Context(), flags)
	if err != nil {
		t.Fatal(err)
	}
	o := s.Options()
	o.Idle = 50 * time.Millisecond
	hasty, err := kubernetes.New(o)
	if err != nil {
		t.Fatal(err)
	}
	defer hasty.Close()
	if err := hasty.Watch(t.Context(), flags, version, func(kubernetes.Change) error { return nil }); err == nil || !strings.Contains(err.Error(), "nothing was heard") {
		t.Errorf("silence: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	if err := s.Client(t).Watch(ctx, flags, version, func(kubernetes.Change) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// The same Event again is counted.
func TestEventsAreCounted(t *testing.T) {
	t.Parallel()
	s := kubernetestest.Start(t, "shop")
	c := s.Client(t)
	e := kubernetes.Event{
		Name: "search.1", About: kubernetes.Reference{APIVersion: "core.openfeature.dev/v1beta1", Kind: "FeatureFlag", Namespace: "shop", Name: "search", UID: "u"},
		Reason: "Applied", Message: "as it says", Count: 1, First: time.Unix(0, 0), Last: time.Unix(0, 0),
	}
	for e.Count = 1; e.Count <= 3; e.Count++ {
		if err := c.WriteEvent(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	want := kubernetestest.StoredEvent{Object: "search", Type: "Normal", Reason: "Applied", Message: "as it says", Count: 3}
	if got := s.Events(t, "shop"); len(got) != 1 || got[0] != want {
		t.Errorf("%+v", got)
	}
}
