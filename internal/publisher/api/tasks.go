package api

import "time"

// What tasks do.
const (
	TaskApply    = "apply"
	TaskRecreate = "recreate"
	TaskRestore  = "restore"
	TaskVerify   = "verify"
)

// How a task is going.
const (
	TaskRunning = "running"
	TaskDone    = "done"
	TaskFailed  = "failed"
)

// TaskList is what a publisher does, and has done lately.
type TaskList struct {
	Items []Task `json:"items" nullable:"false" doc:"The tasks of the environment, the newest first."`
}

// Task is something that takes a publisher a while.
type Task struct {
	ID    string    `json:"id"`
	Kind  string    `json:"kind" enum:"apply,recreate,restore,verify" doc:"What it does: apply a change of 100 documents or more, write the environment as a new epoch, restore a snapshot, or verify the history."`
	State string    `json:"state" enum:"running,done,failed"`
	Actor string    `json:"actor,omitempty" doc:"The opaque id of who asked for it."`
	Names Names     `json:"names,omitempty" doc:"The names of the persons and tokens whose ids stand here, by id."`
	Begun time.Time `json:"begun"`
	Ended time.Time `json:"ended,omitzero" doc:"Absent while it is running."`
	Done  int       `json:"done" doc:"How many documents were written, or records verified, so far."`
	Total int       `json:"total" doc:"How many there are, as far as it is known; 0 is not known yet."`
	// Problem is why it failed.
	Problem *Problem `json:"problem,omitempty" doc:"Why it failed: the problem that its caller was answered with."`
	// Verification is what a verification found.
	Verification *Verification `json:"verification,omitempty" doc:"What a verification found."`
	Request      string        `json:"request,omitempty" doc:"The id of the change request that was applied or opened."`
}
