// Package natstest runs JetStream in the process of a test.
package natstest

import (
	"testing"
)

// Server is one JetStream node on a loopback port.
type Server struct{}

// Start returns a running server whose store and life end with the test.
func Start(tb testing.TB) *Server { return &Server{} }

// URL returns the address for clients. It stays over Stop and Restart.
func (s *Server) URL() string { return "" }

// Stop shuts the server down and keeps its store.
func (s *Server) Stop(tb testing.TB) {}

// Restart starts a stopped server, or stops and starts a running one, with the
// same store and port.
func (s *Server) Restart(tb testing.TB) {}
