package cli_test

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
)

// newServer returns a server that does not log aborted requests.
func newServer(handler http.HandlerFunc) *httptest.Server {
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.Start()
	return server
}
