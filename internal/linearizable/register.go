// Package linearizable records what clients of a register did and saw, and tells whether that could have been one register: whether every
// read returned what was written last, in an order that no clock contradicts. Tests use it for flags that are always fresh.
package linearizable

import (
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"
)

// Outcome is what a writer knows about its write.
type Outcome int

// The outcomes. The zero value is that nothing is known: the write happens once, later, or never.
const (
	Unknown Outcome = iota
	Done
	Refused // it never happened and never will
)

// Register records the history of one register that holds 0 at first. It is safe for concurrent use. The zero value is not ready: see New.
type Register struct {
	began time.Time

	mu         sync.Mutex
	operations []porcupine.Operation
}

// access is the input of an operation.
type access struct {
	write bool
	value int
	known bool // that a write happened
}

// New returns an empty history.
func New() *Register { return &Register{began: time.Now()} }

// Write records an attempt to write a value that nobody else writes.
func (r *Register) Write(client, value int, attempt func() Outcome) Outcome {
	call := r.now()
	outcome := attempt()
	end := r.now()
	if outcome == Unknown {
		end = math.MaxInt64
	}
	if outcome != Refused {
		r.add(porcupine.Operation{ClientId: client, Input: access{write: true, value: value, known: outcome == Done}, Call: call, Return: end})
	}
	return outcome
}

// Read records a read. One that returns no value is as good as none.
func (r *Register) Read(client int, attempt func() (value int, ok bool)) (value int, ok bool) {
	call := r.now()
	if value, ok = attempt(); ok {
		r.add(porcupine.Operation{ClientId: client, Input: access{}, Output: value, Call: call, Return: r.now()})
	}
	return value, ok
}

// Len returns how many operations are recorded.
func (r *Register) Len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.operations)
}

// Check returns an error if the history is that of no register, or if that could not be found out within the limit.
func (r *Register) Check(limit time.Duration) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	history := withoutUnseen(r.operations)
	result, _ := porcupine.CheckOperationsVerbose(model(), history, limit)
	switch result {
	case porcupine.Ok:
		return nil
	case porcupine.Illegal:
		return fmt.Errorf("no order of the %d operations makes every read return what was written last%s", len(history), oldest(history))
	default:
		return fmt.Errorf("whether the %d operations have an order could not be found out within %s", len(history), limit)
	}
}

// withoutUnseen leaves out writes that may never have happened and that nobody saw: they can always come last.
func withoutUnseen(operations []porcupine.Operation) []porcupine.Operation {
	seen := make(map[int]bool)
	for _, o := range operations {
		if value, ok := o.Output.(int); ok {
			seen[value] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(operations), func(o porcupine.Operation) bool {
		in, _ := o.Input.(access)
		return in.write && !in.known && !seen[in.value]
	})
}

// oldest describes the first read that returned less than was written for sure before it began, for registers that only grow.
func oldest(operations []porcupine.Operation) string {
	for _, read := range operations {
		got, ok := read.Output.(int)
		for _, written := range operations {
			in, _ := written.Input.(access)
			if ok && in.write && in.known && written.Return < read.Call && in.value > got {
				return fmt.Sprintf("; client %d read %d at %s, %d was written %s before", read.ClientId, got, time.Duration(read.Call),
					in.value, time.Duration(read.Call-written.Return))
			}
		}
	}
	return ""
}

func model() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return 0 },
		Step: func(state, input, output any) (bool, any) {
			in, _ := input.(access)
			if in.write {
				return true, in.value
			}
			return output == state, state
		},
	}
}

func (r *Register) now() int64 { return int64(time.Since(r.began)) }

func (r *Register) add(o porcupine.Operation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.operations = append(r.operations, o)
}
