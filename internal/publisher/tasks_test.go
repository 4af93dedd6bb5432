package publisher_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/internal/publisher/api"
)

// What takes a while is listed with how far it is and how it ended; what is small is not. It goes on when its caller is gone.
func TestTasks(t *testing.T) {
	t.Parallel()
	r := start(t, publisher.Options{DataDir: t.TempDir()})
	r.create("prod")
	r.create("other")
	tasks := func(environment string) []api.Task {
		t.Helper()
		found, err := r.client.Tasks(t.Context(), environment)
		if err != nil {
			t.Fatal(err)
		}
		return found.Items
	}
	change := func(first, count int) {
		t.Helper()
		var changes []api.CommandChange
		for i := range count {
			changes = append(changes, api.CommandChange{Key: fmt.Sprintf("flag-%05d", first+i), Document: flagBody("on", "")})
		}
		if _, err := r.client.ChangeDocuments(t.Context(), "prod", api.ChangeDocuments{Changes: changes}, api.ChangeHeaders{}); err != nil {
			t.Fatal(err)
		}
	}
	ended := func(what string, n int, want api.Task) api.Task {
		t.Helper()
		all := tasks("prod")
		if len(all) != n {
			t.Fatalf("after %s there are %d tasks, want %d: %+v", what, len(all), n, all)
		}
		got := all[0]
		if got.Kind != want.Kind || got.State != want.State || got.Done != want.Done || got.Total != want.Total ||
			got.Ended.Before(got.Begun) || got.Actor != "somebody" || got.ID == "" {
			t.Errorf("after %s: %+v, want %+v", what, got, want)
		}
		return got
	}
	change(0, 3)
	if all := tasks("prod"); len(all) != 0 {
		t.Errorf("a change of 3 documents is a task: %+v", all)
	}
	change(3, 1500)
	ended("a change of 1500 documents", 1, api.Task{Kind: api.TaskApply, State: api.TaskDone, Done: 1500, Total: 1500})

	if got := r.ask(http.MethodPost, "/api/v1/environments/prod/recreate", "", "Flagside-Reason", "a drill"); got.status != http.StatusOK {
		t.Fatalf("%d %s", got.status, got.body)
	}
	if got := ended("a new epoch", 2, api.Task{Kind: api.TaskRecreate, State: api.TaskDone, Done: 1503, Total: 1503}); got.Request == "" {
		t.Error("a new epoch names no change request")
	}

	got := r.ask(http.MethodPost, "/api/v1/environments/prod/restore", "no snapshot", "Content-Type", "application/octet-stream")
	if got.status < http.StatusBadRequest {
		t.Fatalf("%d %s", got.status, got.body)
	}
	if failed := ended("what is no snapshot", 3, api.Task{Kind: api.TaskRestore, State: api.TaskFailed}); failed.Problem == nil || failed.Problem.Detail != got.problem.Detail {
		t.Errorf("it failed because of %+v, and the caller was told %+v", failed.Problem, got.problem)
	}

	ctx, cancel := context.WithCancel(t.Context())
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url+"/api/v1/environments/prod/audit/verification", strings.NewReader(""))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+adminSecret)
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		if answer, err := r.http.Do(request); err == nil {
			_ = answer.Body.Close()
		}
	}()
	r.await("the verification to begin", func() bool { return len(tasks("prod")) == 4 })
	cancel()
	<-gone
	r.await("its end, although the caller is gone", func() bool { return tasks("prod")[0].State != api.TaskRunning })
	verified := tasks("prod")[0]
	if verified.State != api.TaskDone || verified.Verification == nil || !verified.Verification.Verified || verified.Done < 3000 || verified.Done > verified.Total {
		t.Errorf("%+v, %+v", verified, verified.Verification)
	}

	// One history is verified at a time: what is refused because of another is no task, or it would displace those that others look for.
	var carriedOut atomic.Int64
	var asking sync.WaitGroup
	for range 8 {
		asking.Go(func() {
			if r.ask(http.MethodPost, "/api/v1/environments/prod/audit/verification", "").status == http.StatusOK {
				carriedOut.Add(1)
			}
		})
	}
	asking.Wait()
	if all, want := tasks("prod"), 4+int(carriedOut.Load()); len(all) != want || want > 11 {
		t.Errorf("%d tasks after 8 verifications at once, want %d", len(all), want)
	}
	if all := tasks("other"); len(all) != 0 {
		t.Errorf("tasks of another environment are shown: %+v", all)
	}
}
