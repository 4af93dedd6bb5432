// Package flagd serves the gRPC protocols of the flagd daemon, so that its providers work with nothing but an address:
// flagd.evaluation v1 and v2, by which a provider asks for one answer at a time, and flagd.sync v1, by which a provider gets all flags
// and evaluates them itself. Both speak gRPC, gRPC-Web, Connect and plain JSON on one port each, over HTTP/1.1 and HTTP/2, and answer
// the health checks of gRPC.
//
// # Concurrency properties
//
// A Server answers any number of requests at once; Run may be called only once.
package flagd
