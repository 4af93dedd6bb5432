// Package load sends requests to a server and measures its answers: as many as the server can answer (a closed loop), or at a rate (an open loop), where
// the time of an answer counts from the moment at which its request was to be sent, so that a server that stands still is seen by every request that
// would have come meanwhile.
//
// One thread does everything, without the scheduler and the poller of the Go runtime in between, so that a server with a core of its own is the limit
// and not what drives it. Linux only.
package load
