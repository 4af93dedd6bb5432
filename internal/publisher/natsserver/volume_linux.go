package natsserver

import "syscall"

// freeShare returns which share of the volume of a directory this process can still use.
func freeShare(dir string) (share float64, known bool) {
	var volume syscall.Statfs_t
	if syscall.Statfs(dir, &volume) != nil || volume.Blocks == 0 {
		return 0, false
	}
	return float64(volume.Bavail) / float64(volume.Blocks), true
}
