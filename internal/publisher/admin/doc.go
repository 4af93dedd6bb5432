// Package admin serves the HTTP API of a publisher. Its wire types are in package api, its client is package client.
//
// The API is described by its own OpenAPI 3.1 document at /openapi.json, a copy of which is api/openapi.json in the repository. Every
// error is a problem of RFC 9457. Anyone who changes a document must say with If-Match what it has seen; revisions are tokens of the
// form <epoch8>-<revision>.
//
// Every request has a bearer token or the cookie of a session, unless anybody may read. Who may do what is decided by policies: by the control package for what
// changes documents, and here for everything else. On loopback, requests that name another host are refused, as rebound DNS names do, and
// everywhere those that a browser sends on behalf of another site.
//
// # Concurrency properties
//
// Handler is safe for concurrent use.
package admin
