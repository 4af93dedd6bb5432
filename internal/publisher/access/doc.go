// Package access says who is asking and what they may do. An Authenticator turns the bearer token of a request into a Principal; an
// Authorizer answers questions about principals, actions and resources by Cedar policies.
//
// # Concurrency properties
//
// Authenticator, Authorizer and Tokens are safe for concurrent use. Authorize does no I/O.
package access
