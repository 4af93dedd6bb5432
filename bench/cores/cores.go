// Package cores runs what is measured on a processor core of its own.
package cores

import "errors"

// Core is the number of a processor core, or [Any].
type Core int

// Any leaves it to the system where something runs.
const Any Core = -1

// ErrOne means that this process may use one core only, so that nothing has a core of its own.
var ErrOne = errors.New("only one core is available: a server and what drives it need one each")

// Start calls start, which starts a process, so that the process has the core and no other. A Go program sees one processor then.
func (c Core) Start(start func() error) error {
	if c == Any {
		return start()
	}
	return c.start(start)
}
