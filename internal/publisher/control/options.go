package control

import (
	"context"
	"iter"
	"time"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/internal/publisher/control/requests"
	"github.com/flagside/flagside/internal/publisher/control/risk"
	"github.com/flagside/flagside/internal/publisher/lifecycle"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/follow"
	"github.com/flagside/flagside/sync/writer"
)

// Log is where changes are written: a writer.Log.
type Log interface {
	Append(ctx context.Context, basis writer.Basis, c writer.Change) (writer.Outcome, error)
	Read(ctx context.Context, after changelog.Position, to uint64) iter.Seq2[changelog.Record, error]
	History(ctx context.Context, id document.ID) iter.Seq2[changelog.Record, error]
	Backwards(ctx context.Context, before uint64) iter.Seq2[changelog.Record, error]
}

// Ledger is where the decisions of people are recorded: a writer.Ledger.
type Ledger interface {
	Append(ctx context.Context, base uint64, opID string, body []byte) (uint64, error)
	Read(ctx context.Context, from uint64) iter.Seq2[writer.Record, error]
	Record(ctx context.Context, sequence uint64) (writer.Record, error)
}

// Follower keeps the state current: a follow.Follower.
type Follower interface {
	Barrier(ctx context.Context) error
	Wait(ctx context.Context, revision uint64) error
	Status() follow.Status
}

// Store is what a publisher has of an environment. It is safe for concurrent use.
type Store interface {
	// State returns the newest state, or nil while the environment was not read completely.
	State() decide.State
	// Log returns the log, or why nothing can be written now. It may wait.
	Log(ctx context.Context) (Log, error)
	// Ledger returns the ledger, or why it cannot be had. It may wait.
	Ledger(ctx context.Context) (Ledger, error)
	// Refused returns why nothing can be written now, or nil. It does not wait.
	Refused() error
}

// Access knows principals, and what policies permit. It is safe for concurrent use.
type Access interface {
	decide.Principals
	// Identify returns a principal with the id that is recorded. It is asked for a person without one, before anything that the person does is
	// recorded.
	Identify(ctx context.Context, p access.Principal) (access.Principal, error)
	// CatchUp returns when everything counts for AuthorValid and Line that was recorded of principals before the call, at any publisher.
	CatchUp(ctx context.Context) error
}

// Observer is told what a Service does. It is safe for concurrent use.
type Observer interface {
	// Deciding is told when the decision on a command begins, and returns what is told how it ended.
	Deciding(ctx context.Context, c decide.Command) func(error)
	// Appended is told how each append ended.
	Appended(s writer.OutcomeState)
	// Lived is told of each event of the lives of flags that was recorded here.
	Lived(e requests.Event)
	// ActedOnExpired is told what became of what a lifecycle policy wanted, each time that it was tried here and was not to be waited for.
	ActedOnExpired(a lifecycle.Action, outcome string)
	// BrokeGlass is told of each change request that was applied here without approvals, which waits for a review then.
	BrokeGlass(r requests.Request)
}

// Options say what a Service works on. Store and Follower are required.
type Options struct {
	// Environment is its name.
	Environment string
	Store       Store
	Follower    Follower
	// Access may be nil: then everything is permitted to all, as they are.
	Access Access
	// Observer may be nil.
	Observer Observer
	// ReadOnly is a sentence that tells where the environment is changed instead; empty if here.
	ReadOnly string
	// Usage tells which flags are in use. It may be nil: then it is not known.
	Usage risk.Usage
	// OpenRequests is how many change requests one author may have that are not ended; 0 is any number.
	OpenRequests int
	// LedgerBytes is how many bytes one principal may add to the ledger in a day; 0 is any number.
	LedgerBytes int
	// Now is the clock of deadlines, schedules and the lives of flags, and of what records say of their time; nil is time.Now. What waits goes by
	// the clock of the process.
	Now func() time.Time
	// Sweep is how often Run looks for requests whose time has come, or that another publisher has left; 0 is once a second.
	Sweep time.Duration
}

// unobserved is an Observer that keeps nothing.
type unobserved struct{}

// Deciding implements Observer.
func (unobserved) Deciding(context.Context, decide.Command) func(error) { return func(error) {} }

// Appended implements Observer.
func (unobserved) Appended(writer.OutcomeState) {}

// Lived implements Observer.
func (unobserved) Lived(requests.Event) {}

// ActedOnExpired implements Observer.
func (unobserved) ActedOnExpired(lifecycle.Action, string) {}

// BrokeGlass implements Observer.
func (unobserved) BrokeGlass(requests.Request) {}

// DefaultLedgerBytes is how many bytes one principal may add to a ledger in a day (UTC).
const DefaultLedgerBytes = 16 << 20
