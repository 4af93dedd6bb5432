package flagd

import "net/http"

// Joined returns how many documents are kept, for tests.
func (d *Documents) Joined() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.messages)
}

// Encodings returns how many messages were encoded, for tests.
func (d *Documents) Encodings() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.encodings
}

// Handler returns what answers requests, for tests.
func (s *Server) Handler() http.Handler { return s.http.Handler }
