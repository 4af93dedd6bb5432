// Package admin is the HTTP API of a publisher and the client for it.
//
// The API is described by its own OpenAPI 3.1 document at /openapi.json, a copy of which is api/openapi.json in the repository. Every
// error is a problem of RFC 9457. Whoever changes a document must say with If-Match what it has seen; revisions are tokens of the
// form <epoch8>-<revision>.
//
// Nobody is asked for credentials yet. The API is therefore for loopback addresses only, refuses requests that name another host,
// as rebound DNS names do, and those that a browser sends on behalf of another site.
//
// # Concurrency properties
//
// Handler and Client are safe for concurrent use.
package admin
