// Package kubernetestest runs what behaves as a Kubernetes API server does with Secrets, custom objects and Events, in the process of a test, and mounts
// Secrets as pods see them.
package kubernetestest

import (
	"crypto/rand"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/flagside/flagside/internal/kubernetes"
)

// Fault says what becomes of a request.
type Fault int

// The faults.
const (
	Pass      Fault = iota // none
	Lose                   // the connection ends before anything is done
	LoseReply              // it is done, and the connection ends before the answer
	Refuse                 // it is answered with 500
	Forbid                 // it is answered with 403
)

// Server is an API server. It is safe for concurrent use.
type Server struct {
	// TokenFile and CAFile are the paths of files for clients.
	TokenFile, CAFile string

	http  *httptest.Server
	token string

	mu         sync.Mutex // guards what follows
	namespaces map[string]bool
	secrets    map[string]map[string]any
	version    int
	writes     int
	fault      func(method, path string) Fault
	seen       func(stored kubernetes.Secret)
	objects    objects
}

// Start returns a running server with some namespaces. It ends with the test.
func Start(tb testing.TB, namespaces ...string) *Server {
	tb.Helper()
	dir := tb.TempDir()
	s := &Server{
		TokenFile: filepath.Join(dir, "token"), CAFile: filepath.Join(dir, "ca.crt"), token: rand.Text(),
		namespaces: map[string]bool{}, secrets: map[string]map[string]any{}, objects: newObjects(),
	}
	for _, name := range namespaces {
		s.namespaces[name] = true
	}
	s.http = httptest.NewTLSServer(http.HandlerFunc(s.serve))
	tb.Cleanup(s.http.Close)
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.http.Certificate().Raw})
	for file, text := range map[string][]byte{s.TokenFile: []byte(s.token + "\n"), s.CAFile: authority} {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	return s
}

// URL returns the address.
func (s *Server) URL() string { return s.http.URL }

// Options returns the options of a client.
func (s *Server) Options() kubernetes.Options {
	return kubernetes.Options{URL: s.URL(), TokenFile: s.TokenFile, CAFile: s.CAFile}
}

// Client returns a client.
func (s *Server) Client(tb testing.TB) *kubernetes.Client {
	tb.Helper()
	c, err := kubernetes.New(s.Options())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.Close)
	return c
}

// AddNamespace makes a namespace.
func (s *Server) AddNamespace(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.namespaces[name] = true
}

// Inject decides on the fault of each request from now on, before anything else is done with it; nil has none. It is called by one request at a
// time.
func (s *Server) Inject(fault func(method, path string) Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = fault
}

// Watch lets seen know of each Secret that is stored, in their order.
func (s *Server) Watch(seen func(kubernetes.Secret)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = seen
}

// Writes returns how many requests have changed something.
func (s *Server) Writes() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.writes
}

// Delete removes a Secret, as people do.
func (s *Server) Delete(namespace, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.secrets, namespace+"/"+name)
}

// Secrets returns what is stored, by namespace/name.
func (s *Server) Secrets(tb testing.TB) map[string]kubernetes.Secret {
	tb.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make(map[string]kubernetes.Secret, len(s.secrets))
	for at, object := range s.secrets {
		secret, err := typed(object)
		if err != nil {
			tb.Fatal(err)
		}
		all[at] = secret
	}
	return all
}

// nextVersion returns a resource version that no object had before. The caller holds mu.
func (s *Server) nextVersion() string {
	s.version++
	return strconv.Itoa(s.version)
}
