// Package logtest keeps for a test what programs write.
package logtest

import (
	"bytes"
	"strings"
	"sync"
)

// Log is text that goroutines write and a test reads, such as log lines or what a program prints. The zero value is empty. It is safe for concurrent use.
type Log struct {
	mu   sync.Mutex
	text bytes.Buffer // guarded by mu
}

// Write adds to the text.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// String returns the text.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Take returns the text, and empties it.
func (l *Log) Take() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.text.Reset()
	return l.text.String()
}

// Lines returns the whole lines that contain all of the parts, without their ends.
func (l *Log) Lines(parts ...string) (found []string) {
lines:
	for line := range strings.Lines(l.String()) {
		for _, part := range parts {
			if !strings.Contains(line, part) {
				continue lines
			}
		}
		if whole, ok := strings.CutSuffix(line, "\n"); ok {
			found = append(found, whole)
		}
	}
	return found
}
