package telemetry

import (
	"runtime/debug"
	"testing"
)

func TestBuildIsCompletedFromWhatGoKnows(t *testing.T) {
	t.Parallel()
	settings := []debug.BuildSetting{{Key: "vcs.revision", Value: "abc"}, {Key: "vcs.time", Value: "2026-01-02T03:04:05Z"}}
	f := func(name string, told Build, known string, want Build) {
		t.Helper()
		got := told.completed(&debug.BuildInfo{Main: debug.Module{Version: known}, Settings: settings})
		if got != want {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
	}
	f("nothing told", Build{}, "v0.1.0", Build{Version: "0.1.0", Commit: "abc", CommitTime: "2026-01-02T03:04:05Z"})
	f("no version known", Build{}, "(devel)", Build{Commit: "abc", CommitTime: "2026-01-02T03:04:05Z"})
	all := Build{Version: "0.2.0", Commit: "def", CommitTime: "2025-01-02T03:04:05Z"}
	f("all told", all, "v0.1.0", all)
}

func TestBuildIsTold(t *testing.T) {
	t.Parallel()
	whole := Build{Version: "0.1.0", Commit: "abc", CommitTime: "2026-01-02T03:04:05Z", Go: "go1.26", Platform: "linux/amd64"}
	if got, want := whole.String(), "0.1.0\ncommit abc of 2026-01-02T03:04:05Z\nbuilt with go1.26 for linux/amd64\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := (Build{Version: "devel", Go: "go1.26", Platform: "linux/amd64"}).String(), "devel\nbuilt with go1.26 for linux/amd64\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
