package admin

import (
	"context"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/control"
)

// Of tasks that have ended, the newest are kept for an hour; what is running is kept in any case.
func TestTasksAreForgotten(t *testing.T) {
	t.Parallel()
	var all tasks
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	begin := func(id string, least int) *task {
		one := &task{of: &all, environment: "prod", least: least, now: func() time.Time { return now }, told: api.Task{ID: id, State: api.TaskRunning, Begun: now}}
		all.add(one)
		return one
	}
	running := begin("running", 0)
	small := begin("small", taskDocuments)
	small.Expect(taskDocuments - 1)
	for i := range keptTasks + 5 {
		one := begin(strconv.Itoa(i), 0)
		one.Expect(1)
		one.Add(1)
		one.end(nil, nil)
	}
	found := all.list("prod", now)
	if len(found) != keptTasks+1 || found[0].ID != strconv.Itoa(keptTasks+4) || found[keptTasks].ID != "running" {
		t.Errorf("%d tasks are listed, from %s to %s", len(found), found[0].ID, found[len(found)-1].ID)
	}
	small.Expect(taskDocuments)
	if found := all.list("prod", now); len(found) != keptTasks+2 {
		t.Errorf("%d tasks are listed after one has grown", len(found))
	}
	small.end(nil, nil)
	now = now.Add(taskKept + time.Second)
	if found := all.list("prod", now); len(found) != 1 || found[0].ID != "running" || len(all.all) != 1 {
		t.Errorf("an hour later there are %+v", found)
	}
	running.Expect(10)
	running.Add(4)
	running.Expect(5) // it was decided again
	if got := all.list("prod", now)[0]; got.Done != 4 || got.Total != 9 {
		t.Errorf("%d of %d, want 4 of 9", got.Done, got.Total)
	}
}

// A restore goes on when its caller is gone, but not for ever: it may wait for a log that cannot be reached.
func TestRestoresEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &server{}
		ctx, gone := context.WithCancel(t.Context())
		gone()
		begun := time.Now()
		_, err := s.restoring(ctx, "prod", api.TaskRestore, Restoring{}, func(ctx context.Context) (control.Restored, error) {
			<-ctx.Done()
			return control.Restored{}, control.ErrNotReady
		})
		if took := time.Since(begun); err == nil || took != restoreTime {
			t.Errorf("%v after %v", err, took)
		}
		if all := s.tasks.list("prod", time.Now()); len(all) != 1 || all[0].State != api.TaskFailed {
			t.Errorf("%+v", all)
		}
	})
}

// What panics is not shown as running for ever, and what has ended stays as it ended.
func TestTasksThatPanicAreFailed(t *testing.T) {
	t.Parallel()
	var all tasks
	work := func(do func(*task)) {
		one := &task{of: &all, environment: "prod", now: time.Now, told: api.Task{State: api.TaskRunning}}
		all.add(one)
		defer func() { _ = recover() }()
		defer one.abandon()
		do(one)
	}
	work(func(one *task) { one.end(nil, nil) })
	work(func(*task) { panic("a bug") })
	found := all.list("prod", time.Now())
	if len(found) != 2 || found[0].State != api.TaskFailed || found[0].Problem == nil || found[1].State != api.TaskDone || found[1].Problem != nil {
		t.Errorf("%+v", found)
	}
}
