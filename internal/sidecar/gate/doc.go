// Package gate answers the proxy in front of an application, which asks about each request of a visitor before it passes it on: the variants of
// some flags come back as header fields that the proxy gives to the application, or routes by. So flags reach applications that need no change.
//
// It speaks what proxies send for external authorization: nginx auth_request, Envoy ext_authz over HTTP and gRPC, Caddy forward_auth, Traefik ForwardAuth
// and HAProxy by a script. It authorizes nothing. Whatever is asked, and whatever is broken, the answer is 200, because proxies take everything
// else as a refusal: at worst it has no flags.
//
// # What visitors can do
//
// Everything in such a request may come from a visitor. Only header fields, cookies and query parameters that the options list become attributes
// of the evaluation context. Fields with the names of flags are never read. Names in answers come from flags, and values from their variants,
// with every byte escaped that could end a field.
//
// # Concurrency properties
//
// A [Server] is safe for concurrent use. Run may be called once.
package gate
