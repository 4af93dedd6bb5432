// Package session keeps who is signed in to the console: who has shown an API token or has come from the identity provider gets a cookie, by which every
// publisher knows them for twelve hours. It serves what is needed for that below /console/, and answers who sends a request.
//
// A session is a record in a bucket that publishers share, signed by one of them, and holds the hash of what is in the cookie. With each request it is found
// out again whether its holder would still be let in. Who ends a session ends it on every publisher within Recheck.
//
// A request with a cookie is taken only as browsers send them for the console's own pages: others have origin checks in front of them (admin.CheckOrigin),
// cookies that browsers send for pages of the same site only, and a Content-Type that no form has.
//
// # Concurrency properties
//
// Sessions is safe for concurrent use; Run may be called only once.
package session
