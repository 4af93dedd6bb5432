// Package console serves the web page of the publisher: the files of dist, which go run ./build/console makes of web, below /console/. It knows
// nothing of flags; the page asks the API with the cookie of a session.
package console
