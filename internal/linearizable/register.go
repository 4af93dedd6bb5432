// Package linearizable records what clients of a register did and saw, and tells whether that could have been one register: whether every
// read returned what was written last, in an order that no clock contradicts. Tests use it for flags that are always fresh.
package linearizable

import (
	"cmp"
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

// Write records an attempt to write a value that no one else writes.
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

// Check returns an error if the history is that of no register. Values must grow in the order in which they are written; that decides when
// the search for an order, which knows nothing of it, does not end within the limit.
func (r *Register) Check(limit time.Duration) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	history := settled(r.operations)
	if err := contradiction(history); err != nil {
		return err
	}
	if porcupine.CheckOperationsTimeout(model(), history, limit) == porcupine.Illegal {
		return fmt.Errorf("no order of the %d operations makes every read return what was written last", len(history))
	}
	return nil
}

// settled returns the operations with what reads tell about writes that are not known: one that no one saw can always come last, and is left
// out; one that was seen happened before the first read of it was over.
func settled(operations []porcupine.Operation) []porcupine.Operation {
	seen := make(map[int]int64)
	for _, o := range operations {
		if value, ok := o.Output.(int); ok {
			if first, again := seen[value]; !again || o.Return < first {
				seen[value] = o.Return
			}
		}
	}
	var all []porcupine.Operation
	for _, o := range operations {
		in, _ := o.Input.(access)
		if in.write && !in.known {
			first, happened := seen[in.value]
			if !happened {
				continue
			}
			o.Return = max(first, o.Call) // a read before the write begins is an error for the model to find
		}
		all = append(all, o)
	}
	return all
}

// contradiction returns an error for the first read that is older than what was certain when it began, or newer than what had been
// written when it ended. For values that grow in the order of the writes this decides: an order by value, and among equals the write first,
// then makes every read return what was written last.
func contradiction(operations []porcupine.Operation) error {
	byCall := slices.SortedFunc(slices.Values(operations), func(a, b porcupine.Operation) int { return cmp.Compare(a.Call, b.Call) })
	byReturn := slices.SortedFunc(slices.Values(operations), func(a, b porcupine.Operation) int { return cmp.Compare(a.Return, b.Return) })
	certain, over := 0, 0 // the highest value of the operations that are over
	for _, o := range byCall {
		for ; over < len(byReturn) && byReturn[over].Return < o.Call; over++ {
			certain = max(certain, valueOf(byReturn[over]))
		}
		if value := valueOf(o); value < certain {
			return fmt.Errorf("client %d came to %d after %s, when %d was certain: %+v", o.ClientId, value, time.Duration(o.Call), certain, o.Input)
		}
	}
	return unwritten(operations)
}

// unwritten returns an error for a read that was over before the value was written, if it ever was.
func unwritten(operations []porcupine.Operation) error {
	begun := map[int]int64{0: 0}
	for _, o := range operations {
		if in, _ := o.Input.(access); in.write {
			begun[in.value] = o.Call
		}
	}
	for _, o := range operations {
		if at, written := begun[valueOf(o)]; !written || o.Return < at {
			return fmt.Errorf("client %d came to %d, which no client had written", o.ClientId, valueOf(o))
		}
	}
	return nil
}

func valueOf(o porcupine.Operation) int {
	if value, ok := o.Output.(int); ok {
		return value
	}
	in, _ := o.Input.(access)
	return in.value
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
