package cache

// Source says where the current View came from.
type Source string

// The sources, the best first.
const (
	SourceLive      Source = "live"      // the log: it was complete once in this process
	SourceDisk      Source = "disk"      // the files of an earlier process
	SourceBootstrap Source = "bootstrap" // the bootstrap file
	SourceEmpty     Source = "empty"     // there is no View
)
