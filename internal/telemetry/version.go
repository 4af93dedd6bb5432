package telemetry

import "runtime/debug"

// Version returns the version that the program was built from, "devel" if that is not known.
func Version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "devel"
}
