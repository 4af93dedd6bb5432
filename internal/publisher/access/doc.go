// Package access says who is asking and what they may do. An Authenticator turns the bearer token of a request into a Principal; an
// Authorizer answers questions about principals, actions and resources by Cedar policies.
//
// What a principal does is recorded by an id. Policies know persons by what their issuer calls them; records, which nothing can be deleted
// from, by a random id that People give, so that a person can be erased.
//
// # Concurrency properties
//
// Authenticator, Authorizer, Tokens and People are safe for concurrent use. Authorize does no I/O.
package access
