package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestUnchangedMappings(t *testing.T) {
	const smaps = `00400000-00a00000 r-xp 00000000 fe:00 7                     /sidecar
Rss:                5800 kB
Anonymous:             0 kB
Swap:                  0 kB
SwapPss:               0 kB
THPeligible:           0
VmFlags: rd ex mr mw me
00a00000-00b00000 r--p 006aa000 fe:00 7                     /sidecar
Anonymous:             4 kB
Swap:                  0 kB
00b00000-00c00000 rw-p 00dde000 fe:00 7                     /sidecar
Anonymous:             0 kB
Swap:                  0 kB
00c00000-00d00000 r--p 00dde000 fe:00 7                     /sidecar
Anonymous:             0 kB
Swap:                  0 kB
00d00000-00e00000 r--p 00ede000 fe:00 7                     /sidecar
Anonymous:             0 kB
Swap:                  4 kB
00e00000-00f00000 r--p 00fde000 fe:00 7                     /sidecar
Anonymous:             0 kB
248a49c00000-248a4a400000 rw-p 00000000 00:00 0
Anonymous:             8 kB
Swap:                  0 kB
7f57861000-7f57887000 r--p 00000000 fe:00 9                 /lib/libc.so.6
Anonymous:             0 kB
Swap:                  0 kB
`
	got, err := unchangedMappings(strings.NewReader(smaps), "/sidecar")
	if err != nil {
		t.Fatal(err)
	}
	want := []mapping{{0x400000, 0xa00000}, {0xc00000, 0xd00000}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(mapping{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestForgetStart(t *testing.T) {
	before := residentOfFiles(t)
	if err := forgetStart(); err != nil {
		t.Fatal(err)
	}
	if after := residentOfFiles(t); after >= before {
		t.Errorf("%d KiB of files in memory, %d before", after, before)
	}
}

// residentOfFiles returns how many KiB of the memory of this process are those of files.
func residentOfFiles(t *testing.T) (kib int) {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(status) {
		if rest, ok := bytes.CutPrefix(line, []byte("RssFile:")); ok {
			if _, err := fmt.Sscan(string(rest), &kib); err != nil {
				t.Fatal(err)
			}
			return kib
		}
	}
	t.Fatal("no RssFile")
	return 0
}
