package flagsync_test

import (
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/flagside/flagside/sync/follow"
)

// TestServersNameOneTimeOfAnEntry compares what the feed, a read and the leader
// say about when the newest entry was taken: while they agree, a barrier looks at
// no entry.
func TestServersNameOneTimeOfAnEntry(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	p := newProxy(t, l.server.URL())
	r := startFollowing(t, connect(t, p.url()), patient)
	r.until(t, "synced", isSynced)
	var looks int
	count := func(*nats.Msg) { looks++ }
	c := l.server.Client(t)
	for name, arrive := range map[string]func(){
		"by the feed": func() {},
		"by a read":   p.Cut,
	} {
		arrive()
		head := l.write(t, put(name, "{}"))
		r.reach(t, head.Revision)
		r.until(t, "a connection", func(s follow.Status) bool { return s.Connected })
		looks = 0
		sub, err := c.Subscribe("$JS.API.STREAM.MSG.GET.FLAGS_prod", count)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Flush(); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			r.barrier(t)
		}
		if err := c.Flush(); err != nil { // what was asked has come
			t.Fatal(err)
		}
		if err := sub.Drain(); err != nil {
			t.Fatal(err)
		}
		eventually(t, func() (bool, string) { return !sub.IsValid(), "the subscription to end" })
		if looks > 0 {
			t.Errorf("%s: the leader was asked %d times for the newest entry, want 0", name, looks)
		}
	}
}
