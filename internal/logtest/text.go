// Package logtest collects what programs and loggers write while a test reads it. It is for tests.
package logtest

import (
	"bytes"
	"sync"
)

// Text is an [io.Writer] that keeps all that is written. Its zero value is empty. It is safe for concurrent use, and must not be copied.
type Text struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write adds p. It never fails.
func (t *Text) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.Write(p)
}

// String returns what was written up to now.
func (t *Text) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}
