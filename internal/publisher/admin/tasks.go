package admin

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/flagside/flagside/internal/progress"
	"github.com/flagside/flagside/internal/publisher/api"
)

const (
	// taskDocuments is how many documents a change has at least that is a task: what is smaller is over at once.
	taskDocuments = 100
	// keptTasks is how many tasks that have ended are kept at most, and taskKept for how long.
	keptTasks = 100
	taskKept  = time.Hour
)

// tasks are what this publisher does that takes a while, and what of that has ended lately. They are in memory: a publisher that starts again has none. The
// zero value has none. Safe for concurrent use.
type tasks struct {
	mu  sync.Mutex
	all []*task // oldest first
}

// task is one of them. It is the meter of its work.
type task struct {
	of          *tasks
	environment string
	least       int // pieces, below which it is not shown
	now         func() time.Time
	told        api.Task
}

// registerTasks adds what tells of long work.
func (s *server) registerTasks(h huma.API) {
	op := reading(operation(http.MethodGet, "/api/v1/environments/{environment}/tasks", "listTasks",
		"List what takes this publisher a while, such as a new epoch, with how far it is, and what of that has ended in the last hour", environmentsTag))
	op.Metadata[mustAuthenticate] = true // it tells who was refused what
	op.Description = "Tasks are kept in memory by the publisher that carries them out: another replica has its own, and a publisher that starts again has none. " +
		"A task goes on when its caller is gone."
	huma.Register(h, op, func(ctx context.Context, in *EnvironmentPath) (*content[api.TaskList], error) {
		if _, err := s.find(ctx, in.Environment); err != nil {
			return nil, s.problem(err)
		}
		items := s.tasks.list(in.Environment, time.Now())
		for i, t := range items {
			items[i].Names = s.names(ctx, t.Actor)
		}
		return &content[api.TaskList]{Body: api.TaskList{Items: items}}, nil
	})
}

// begin begins a task that has so many pieces at least; one with fewer is never shown. The context that is returned is for its work, and has the task as its
// meter.
func (s *server) begin(ctx context.Context, environment, kind string, least int) (context.Context, *task) {
	t := &task{of: &s.tasks, environment: environment, least: least, now: time.Now, told: api.Task{
		ID: rand.Text(), Kind: kind, State: api.TaskRunning, Actor: caller(ctx).RecordID(), Begun: time.Now().UTC(),
	}}
	s.tasks.add(t)
	return progress.With(ctx, t), t
}

func (l *tasks) add(t *task) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tidy(t.now())
	l.all = append(l.all, t)
}

// tidy forgets what has ended long ago, what was too small, and of the rest the oldest if it is too much.
func (l *tasks) tidy(now time.Time) {
	ended := 0
	for _, t := range l.all {
		if t.ended() {
			ended++
		}
	}
	l.all = slices.DeleteFunc(l.all, func(t *task) bool {
		if !t.ended() {
			return false
		}
		old := now.Sub(t.told.Ended) > taskKept || t.told.Total < t.least || ended > keptTasks
		if old {
			ended--
		}
		return old
	})
}

// list returns the tasks of an environment, the newest first.
func (l *tasks) list(environment string, now time.Time) []api.Task {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tidy(now)
	items := []api.Task{}
	for _, t := range slices.Backward(l.all) {
		if t.environment == environment && t.told.Total >= t.least {
			items = append(items, t.told)
		}
	}
	return items
}

func (t *task) ended() bool { return !t.told.Ended.IsZero() }

// Expect implements progress.Meter.
func (t *task) Expect(pieces int) {
	t.of.mu.Lock()
	defer t.of.mu.Unlock()
	t.told.Total = t.told.Done + pieces
}

// Add implements progress.Meter.
func (t *task) Add(pieces int) {
	t.of.mu.Lock()
	defer t.of.mu.Unlock()
	t.told.Done += pieces
}

// abandon ends it if nothing has, because its work has panicked: it would be shown as running for ever. Defer it.
func (t *task) abandon() {
	t.of.mu.Lock()
	ended := t.ended()
	t.of.mu.Unlock()
	if !ended {
		t.end(newProblem(http.StatusInternalServerError, api.ProblemInternal, "The publisher has a bug: its log says where."), nil)
	}
}

// end tells how it ended. err is what the caller is answered with: a *problem, or nil.
func (t *task) end(err error, more func(*api.Task)) {
	t.of.mu.Lock()
	defer t.of.mu.Unlock()
	t.told.State, t.told.Ended = api.TaskDone, t.now().UTC()
	if p, ok := errors.AsType[*problem](err); ok {
		t.told.State, t.told.Problem = api.TaskFailed, &p.Problem
	}
	if more != nil {
		more(&t.told)
	}
}
