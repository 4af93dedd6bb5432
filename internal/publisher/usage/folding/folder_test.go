package folding_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/publisher/usage"
	"github.com/flagside/flagside/internal/publisher/usage/folding"
	"github.com/flagside/flagside/internal/trusttest"
	"github.com/flagside/flagside/internal/waiting"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/series"
	"github.com/flagside/flagside/sync/status"
	report "github.com/flagside/flagside/sync/usage"
)

func publisher(t *testing.T, url string) *flagsync.Conn {
	t.Helper()
	return connect(t, flagsync.ConnectOptions{URL: url, Keyring: trusttest.Default().PublisherKeyring(), Signer: trusttest.Default().Signer()})
}

func sidecar(t *testing.T, url string) *flagsync.Conn {
	t.Helper()
	return connect(t, flagsync.ConnectOptions{
		URL: url, Environment: natstest.Environment, NKey: natstest.SidecarKey(t), InboxPrefix: "_SC." + natstest.Environment + ".x",
		Keyring: trusttest.Default().Keyring(),
	})
}

func connect(t *testing.T, o flagsync.ConnectOptions) *flagsync.Conn {
	t.Helper()
	o.Name, o.Logger = t.Name(), zerolog.Nop()
	c, err := flagsync.Connect(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func options() series.Options {
	return series.Options{Environment: natstest.Environment, Replicas: 1, ReportBytes: 64 << 20, Bytes: 64 << 20}
}

// newFolder returns a folder with a connection of its own.
func newFolder(t *testing.T, url string) *folding.Folder {
	t.Helper()
	conn := publisher(t, url)
	f, err := folding.New(folding.Options{
		Open:     func(ctx context.Context) (folding.Store, error) { return series.Open(ctx, conn, options()) },
		Interval: 10 * time.Millisecond, Logger: zerolog.Nop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// run runs a folder until stop is called or the test ends.
func run(t *testing.T, f *folding.Folder) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

func send(t *testing.T, conn *flagsync.Conn, boot string, n uint64, r report.Report) {
	t.Helper()
	r.Boot, r.N = boot, n
	data, err := report.Encode(r)
	if err != nil {
		t.Fatal(err)
	}
	waiting.Until(t, "a report is taken", func() bool { return report.Send(t.Context(), conn, natstest.Environment, boot, n, data) == nil })
}

func counts(flag string, n uint64) report.Report {
	now := time.Now()
	return report.Report{
		From: now.Add(-time.Minute), To: now, Application: "shop",
		Flags: []report.Flag{{Key: flag, Counts: []report.Count{{Variant: "on", Reason: "STATIC", N: n}}}},
	}
}

// sum returns what is stored at a resolution.
func sum(t *testing.T, f *folding.Folder, r usage.Resolution) (n uint64) {
	t.Helper()
	err := f.Segments(t.Context(), r.At(time.Now().Add(-2*r.Length())), r.At(time.Now()), func(_ usage.ID, s *usage.Segment) { n += s.Sum() })
	if err != nil && !errors.Is(err, folding.ErrNotRead) {
		t.Fatal(err)
	}
	return n
}

// While publishers come, go and compete, the server restarts, and reports come again, every report is folded once.
func TestEveryReportIsFoldedOnce(t *testing.T) {
	t.Parallel()
	const reporters, each = 4, 40
	s := natstest.Start(t)
	run(t, newFolder(t, s.URL()))
	var want uint64
	var mu sync.Mutex
	var sending sync.WaitGroup
	for i := range reporters {
		conn := sidecar(t, s.URL())
		sending.Go(func() {
			random := rand.New(rand.NewPCG(uint64(i), 1))
			boot := status.NewBoot()
			for n := range uint64(each) {
				amount := 1 + random.Uint64N(1000)
				send(t, conn, boot, n+1, counts(fmt.Sprint("f-", random.IntN(3)), amount))
				mu.Lock()
				want += amount
				mu.Unlock()
				if random.IntN(4) == 0 { // its acknowledgement was lost, and the stream has forgotten it
					again := counts("again", 5)
					again.Boot, again.N = boot, n+1
					data, err := report.Encode(again)
					if err != nil {
						t.Error(err)
					}
					resend(t, conn, boot, data)
				}
			}
		})
	}
	for i := range 6 {
		f := newFolder(t, s.URL())
		stop := run(t, f)
		waiting.Until(t, "something is folded", func() bool { return f.Known().Place.Reports > uint64(i*20) })
		stop()
		if i == 2 {
			s.Restart(t)
		}
	}
	sending.Wait()
	f := newFolder(t, s.URL())
	run(t, f)
	waiting.Until(t, "all is folded", func() bool { return f.Known().Place.Reports == reporters*each })
	for _, r := range []usage.Resolution{usage.Hour, usage.Day} {
		if got := sum(t, f, r); got != want {
			t.Errorf("%s: %d evaluations, want %d", r, got, want)
		}
	}
	k := f.Known()
	if k.Place.Missed != 0 || k.Place.Malformed != 0 || k.Place.Duplicates == 0 {
		t.Errorf("%+v", k.Place)
	}
	if uses := k.Uses["f-0"]; len(uses) != 1 || uses[0].Application != "shop" || uses[0].Asked.IsZero() || !uses[0].Bulk.IsZero() {
		t.Errorf("%+v", uses)
	}
}

// resend stores a report as one that the server has forgotten to know.
func resend(t *testing.T, conn *flagsync.Conn, boot string, data []byte) {
	t.Helper()
	waiting.Until(t, "a report is taken again", func() bool {
		return report.Send(t.Context(), conn, natstest.Environment, boot, rand.Uint64(), data) == nil
	})
}

// api calls the API of JetStream about the stream of reports, with its configuration as it is changed.
func api(t *testing.T, s *natstest.Server, call string, change func(config map[string]any)) {
	t.Helper()
	const stream = "USAGE_" + natstest.Environment
	conn := natstest.ConnectPublishers(t, s.URL())
	var body []byte
	if change != nil {
		answer, err := conn.Request("$JS.API.STREAM.INFO."+stream, nil, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		var info struct {
			Config map[string]any `json:"config"`
		}
		if err := json.Unmarshal(answer.Data, &info); err != nil {
			t.Fatal(err)
		}
		change(info.Config)
		if body, err = json.Marshal(info.Config); err != nil {
			t.Fatal(err)
		}
	}
	answer, err := conn.Request("$JS.API."+call+"."+stream, body, time.Minute)
	if err != nil || strings.Contains(string(answer.Data), `"error"`) {
		t.Fatalf("%s: %s, %v", call, answer.Data, err)
	}
}

// Other publishers take over what one has left, and see what it has folded.
func TestAnotherPublisherGoesOn(t *testing.T) {
	t.Parallel()
	s := natstest.Start(t)
	first, second := newFolder(t, s.URL()), newFolder(t, s.URL())
	stop := run(t, first)
	waiting.Until(t, "the streams are there", func() bool { return first.Known().Read })
	conn, boot := sidecar(t, s.URL()), status.NewBoot()
	send(t, conn, boot, 1, counts("f", 7))
	waiting.Until(t, "the first folds", func() bool { return first.Known().Place.Reports == 1 })
	run(t, second)
	waiting.Until(t, "the second knows", func() bool { return second.Known().Place.Reports == 1 })
	stop()
	send(t, conn, boot, 2, counts("f", 3))
	waiting.Until(t, "the second goes on", func() bool { return second.Known().Place.Reports == 2 })
	if got := sum(t, second, usage.Day); got != 10 {
		t.Errorf("%d evaluations", got)
	}
}

// Reports that cannot be read, and those that the stream removed before, are told of.
func TestWhatIsNotFoldedIsTold(t *testing.T) {
	t.Parallel()
	s := natstest.Start(t)
	f := newFolder(t, s.URL())
	stop := run(t, f)
	waiting.Until(t, "the streams are there", func() bool { return f.Known().Read })
	conn, boot := sidecar(t, s.URL()), status.NewBoot()
	resend(t, conn, boot, []byte("{"))
	send(t, conn, boot, 1, counts("f", 7))
	waiting.Until(t, "it is folded", func() bool { p := f.Known().Place; return p.Reports == 1 && p.Malformed == 1 })
	stop()
	for n := range uint64(3) {
		send(t, conn, boot, n+2, counts("f", 1))
	}
	api(t, s, "STREAM.UPDATE", func(config map[string]any) { config["max_msgs"] = 2 })
	f = newFolder(t, s.URL())
	run(t, f)
	waiting.Until(t, "the rest is folded", func() bool { p := f.Known().Place; return p.Reports == 3 && p.Missed == 1 })
	if got := sum(t, f, usage.Hour); got != 9 {
		t.Errorf("%d evaluations", got)
	}
}

// A stream that is gone is made again, and what was folded stays.
func TestLostReportsStream(t *testing.T) {
	t.Parallel()
	s := natstest.Start(t)
	f := newFolder(t, s.URL())
	run(t, f)
	waiting.Until(t, "the streams are there", func() bool { return f.Known().Read })
	conn, boot := sidecar(t, s.URL()), status.NewBoot()
	send(t, conn, boot, 1, counts("f", 7))
	waiting.Until(t, "it is folded", func() bool { return f.Known().Place.Reports == 1 })
	api(t, s, "STREAM.DELETE", nil)
	send(t, conn, boot, 2, counts("f", 3))
	waiting.Until(t, "the next is folded", func() bool { return f.Known().Place.Reports == 2 })
	if got := sum(t, f, usage.Hour); got != 10 {
		t.Errorf("%d evaluations", got)
	}
}

// Reports that were acknowledged and not folded are gone with their stream. That is told, once, even if no other report comes.
func TestUnfoldedReportsOfALostStreamAreMissed(t *testing.T) {
	t.Parallel()
	s := natstest.Start(t)
	f := newFolder(t, s.URL())
	stop := run(t, f)
	waiting.Until(t, "the streams are there", func() bool { return f.Known().Read })
	conn, boot := sidecar(t, s.URL()), status.NewBoot()
	send(t, conn, boot, 1, counts("f", 7))
	waiting.Until(t, "it is folded", func() bool { return f.Known().Place.Reports == 1 })
	if k := f.Known(); !k.CompleteSince(k.Place.Since) {
		t.Fatalf("not complete: %+v", k.Place)
	}
	stop()
	send(t, conn, boot, 2, counts("f", 3))
	api(t, s, "STREAM.DELETE", nil)
	f = newFolder(t, s.URL())
	stop = run(t, f)
	waiting.Until(t, "the loss is told", func() bool { k := f.Known(); return k.Read && !k.CompleteSince(k.Place.Since) })
	at := f.Known().Place.MissedAt
	stop()
	f = newFolder(t, s.URL())
	run(t, f)
	waiting.Until(t, "another publisher reads it", func() bool { return f.Known().Read })
	if again := f.Known().Place.MissedAt; !again.Equal(at) {
		t.Errorf("missed at %v, and then at %v", at, again)
	}
}

// Series are kept without accounts too.
func TestWithoutAccounts(t *testing.T) {
	t.Parallel()
	s := natstest.StartWithoutAccounts(t)
	f := newFolder(t, s.URL())
	run(t, f)
	waiting.Until(t, "the streams are there", func() bool { return f.Known().Read })
	send(t, publisher(t, s.URL()), status.NewBoot(), 1, counts("f", 7))
	waiting.Until(t, "it is folded", func() bool { return f.Known().Place.Reports == 1 })
}
