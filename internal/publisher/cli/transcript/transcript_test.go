package transcript_test

import (
	"strings"
	"testing"

	"github.com/flagside/flagside/internal/publisher/cli/transcript"
)

func TestStable(t *testing.T) {
	t.Parallel()
	var tr transcript.Transcript
	tr.Name("fq3hlzuzkxyz2", "TOKEN")
	f := func(text, want string) {
		t.Helper()
		if got := tr.Stable(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
	f("at 2026-11-22T21:24:22Z and 2026-11-22T21:24:22.5Z", "at 2030-01-01T00:00:00Z and 2030-01-01T00:00:00Z")
	f("revision 0a1b2c3d-7 of 0a1b2c3d"+strings.Repeat("e", 24), "revision epoch001-7 of epoch001")
	f("revision 1a1b2c3d-7, then 0a1b2c3d-8", "revision epoch002-7, then epoch001-8")
	hash := "9f" + strings.Repeat("0123", 15) + "ab"
	f(hash+" "+hash[:12], "hash00000001 hash00000001")
	f("request ABCDEFGHIJKLMNOPQRSTUVWXYZ by token:fq3hlzuzkxyz2", "request op000000000000000000000001 by token:TOKEN")
	f("flagside_fq3hlzuzkxyza_aaaa2222", "secret1")
	f("nothing to 2 change", "nothing to 2 change")
}
