package flagsync_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	flagsync "github.com/flagside/flagside/sync"
)

func TestFollowerTakesTheLogAndThenTheFeed(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	l.write(t, put("a", `{"n":1}`), put("b", `{"n":1}`))
	r := follow(t, l.conn)
	r.until(t, "synced", func(s flagsync.Status) bool { return s.Synced })
	for i := range 20 {
		head := l.write(t, put("a", fmt.Sprintf(`{"n":%d}`, i)), remove("b"))
		r.reach(t, head.Revision)
	}
	s := r.Status()
	if diff := cmp.Diff(l.head(t), s.Applied); diff != "" {
		t.Errorf("position applied (-want +got):\n%s", diff)
	}
	if got := r.target.body("a"); got != `{"n":19}` || r.target.count() != 1 {
		t.Errorf("flag a is %s of %d, want the last of one", got, r.target.count())
	}
	if r.target.syncedTimes() != 1 {
		t.Errorf("Synced was called %d times, want once", r.target.syncedTimes())
	}
	r.barrier(t)
}
