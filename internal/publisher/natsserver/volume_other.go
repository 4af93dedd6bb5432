//go:build !linux

package natsserver

// freeShare knows nothing on this system.
func freeShare(string) (share float64, known bool) { return 0, false }
