package cache

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/faultdisk"
	"github.com/flagside/flagside/internal/trusttest"
)

// bulky returns a flag that takes about a page on disk, compressed or not.
func bulky(tb testing.TB, key string) document.Document {
	tb.Helper()
	noise := make([]byte, 4096)
	if _, err := rand.Read(noise); err != nil {
		tb.Fatal(err)
	}
	body := fmt.Sprintf(`{"state":"ENABLED","variants":{"v":1},"defaultVariant":"v","metadata":{"noise":"%s"}}`, hex.EncodeToString(noise))
	return document.Document{Kind: document.KindFlag, Key: key, Body: []byte(body)}
}

// A disk becomes full at every step of what is written to it: changes are served all the same, what was stored before it became full is
// never destroyed, what is missing is told, and all of it is stored once there is room.
func TestFullDisk(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: one thing after the other, which go test without it does")
	}
	t.Parallel()
	const page, most = 4096, 32
	step := int64(4)
	if os.Getenv("FLAGSIDE_SOAK") != "" {
		step = 1
	}
	complained, silent := 0, 0
	for pages := int64(0); pages < most; pages += step {
		disk := faultdisk.Start(t, 128*page)
		s, h := liveStore(t, disk.Dir())
		apply(t, s, h.commit(t, bulky(t, "a"), bulky(t, "b")))
		s.rewrite()
		stored := h.head.Revision
		disk.Fill(t, pages*page)
		for n := range 4 {
			apply(t, s, h.commit(t, bulky(t, "a"), broken("b")))
			if n%2 == 1 {
				s.rewrite()
			}
			checkView(t, s.View(), h)
			unlucky := restoreStore(t, copyDir(t, disk.Dir()))
			if problems := unlucky.Problems(); len(problems) > 0 {
				t.Fatalf("with %d pages free, after a restart: %v", pages, problems)
			}
			if len(s.Problems()) == 0 {
				checkView(t, unlucky.View(), h)
				silent++
				continue
			}
			complained++
			if got := unlucky.View().Position().Revision; got < stored {
				t.Fatalf("with %d pages free: revision %d was stored, %d is restored", pages, stored, got)
			}
			if detail := s.Problems()[0].Detail; !strings.Contains(detail, syscall.ENOSPC.Error()) {
				t.Fatalf("with %d pages free the condition says %s", pages, detail)
			}
		}
		s = restart(t, s) // and finds no room, too
		disk.Free(t)
		apply(t, s, following(t, trusttest.Default().Signer(), s.View(), flag("later", 1)))
		s.rewrite()
		if problems := s.Problems(); len(problems) > 0 {
			t.Fatalf("with room again after %d pages: %v", pages, problems)
		}
		if got, want := restart(t, s).View().Position(), s.Position(); got != want {
			t.Fatalf("with room again after %d pages: revision %d is restored, want %d", pages, got.Revision, want.Revision)
		}
	}
	if complained == 0 || silent == 0 {
		t.Errorf("%d times the disk was full, %d times it was not: both are to be tried", complained, silent)
	}
}

// The same, of everything that is written and without a disk of one's own: each file that is begun has no room, nor has the one that
// changes are appended to.
func TestWritesFindNoRoom(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat(faultdisk.Full); err != nil {
		t.Skipf("this system has no file that is always full: %v", err)
	}
	for _, file := range []string{snapshotFile, tailFile, lastGoodFile} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			s, h := liveStore(t, t.TempDir())
			apply(t, s, h.commit(t, bulky(t, "a")))
			s.rewrite()
			stored := h.fork()
			full, err := os.OpenFile(faultdisk.Full, os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			_ = s.disk.tail.Close()
			s.disk.tail = full
			s.disk.create = func(path string) (*os.File, error) {
				if path != s.disk.path(file)+unfinished {
					return createFile(path)
				}
				s.disk.create = createFile // there is room for the next one
				return os.OpenFile(faultdisk.Full, os.O_WRONLY, 0)
			}
			apply(t, s, h.commit(t, bulky(t, "a"), broken("b")))
			checkView(t, s.View(), h)
			s.rewrite()
			if problems := s.Problems(); len(problems) == 0 || !strings.Contains(problems[0].Detail, syscall.ENOSPC.Error()) {
				t.Fatalf("problems: %v", problems)
			}
			unlucky := restoreStore(t, copyDir(t, s.disk.dir))
			if got := unlucky.View().Position().Revision; got < stored.head.Revision || len(unlucky.Problems()) > 0 {
				t.Fatalf("revision %d was stored, %d is restored; %v", stored.head.Revision, got, unlucky.Problems())
			}
			if s.untilRewrite() > maxTailAge {
				t.Error("nothing tries again")
			}
			s.rewrite()
			if problems := s.Problems(); len(problems) > 0 {
				t.Fatalf("with room again: %v", problems)
			}
			restored := restart(t, s)
			checkView(t, restored.View(), h)
			left, err := filepath.Glob(filepath.Join(s.disk.dir, "*"+unfinished))
			if err != nil || len(left) > 0 {
				t.Errorf("unfinished files %v, %v", left, err)
			}
		})
	}
}
