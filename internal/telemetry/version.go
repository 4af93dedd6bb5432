package telemetry

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
)

// What the linker is told by build/version.sh. Programs that were built by other means take all three from what the go command knows.
var version, commit, commitTime string

// Build is what a program was built from, and with. What is not known is empty.
type Build struct {
	Version    string // such as 0.1.0; "devel" if it is not known
	Commit     string
	CommitTime string // in RFC 3339
	Go         string // version of the compiler
	Platform   string // such as linux/amd64
}

// ThisBuild returns what this program was built from.
func ThisBuild() Build {
	b := Build{Version: version, Commit: commit, CommitTime: commitTime, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if info, ok := debug.ReadBuildInfo(); ok {
		b = b.completed(info)
	}
	b.Version = cmp.Or(b.Version, "devel")
	return b
}

// completed returns the build with what the linker was not told.
func (b Build) completed(info *debug.BuildInfo) Build {
	if info.Main.Version != "(devel)" {
		b.Version = cmp.Or(b.Version, strings.TrimPrefix(info.Main.Version, "v"))
	}
	for _, setting := range info.Settings {
		switch setting.Key {
		case "vcs.revision":
			b.Commit = cmp.Or(b.Commit, setting.Value)
		case "vcs.time":
			b.CommitTime = cmp.Or(b.CommitTime, setting.Value)
		}
	}
	return b
}

// String returns the version in the first line, and the rest for people in others.
func (b Build) String() string {
	text := b.Version + "\n"
	if b.Commit != "" {
		text += fmt.Sprintf("commit %s of %s\n", b.Commit, cmp.Or(b.CommitTime, "an unknown time"))
	}
	return text + fmt.Sprintf("built with %s for %s\n", b.Go, b.Platform)
}

// Version returns the version of [ThisBuild].
func Version() string { return ThisBuild().Version }
