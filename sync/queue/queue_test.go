package queue_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/trusttest"
	"github.com/flagside/flagside/internal/waiting"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/queue"
)

// patience is how long a test waits for what must come: long, because a busy machine is no failure.
const patience = 30 * time.Second

// connect returns a connection with the permissions that a publisher has on a server of an operator.
func connect(t *testing.T, url string) *flagsync.Conn {
	t.Helper()
	c, err := flagsync.Connect(t.Context(), flagsync.ConnectOptions{
		URL: url, Name: t.Name(), Keyring: trusttest.Default().PublisherKeyring(), Signer: trusttest.Default().Signer(), Logger: zerolog.Nop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func options() queue.Options {
	return queue.Options{
		Stream: flagsync.EventsStream(natstest.Environment), Subject: flagsync.EventsSubject(natstest.Environment), MaxAge: time.Hour, Replicas: 1,
	}
}

func open(t *testing.T, url string, o queue.Options) *queue.Queue {
	t.Helper()
	q, err := queue.Open(t.Context(), connect(t, url), o)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// fill appends the numbers from first to last, which are their sequences.
func fill(t *testing.T, q *queue.Queue, first, last uint64) {
	t.Helper()
	for n := first; n <= last; n++ {
		text := strconv.FormatUint(n, 10)
		if got, err := q.Append(t.Context(), []byte(text), text, n-1); err != nil || got != n {
			t.Fatalf("append %d: %d, %v", n, got, err)
		}
	}
}

func consumer(t *testing.T, q *queue.Queue, o queue.ConsumerOptions) *queue.Consumer {
	t.Helper()
	c, err := q.Consumer(t.Context(), o, true)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func next(t *testing.T, c *queue.Consumer) queue.Delivery {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	d, err := c.Next(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// Of many that append behind what they have read, one succeeds each time, and a reader sees each once.
func TestAppendsNeverRepeat(t *testing.T) {
	t.Parallel()
	const writers, total = 4, 60
	s := natstest.Start(t)
	var wg sync.WaitGroup
	for range writers {
		q := open(t, s.URL(), options())
		wg.Go(func() {
			for {
				newest, end, err := q.Last(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				done, _ := strconv.Atoi(string(newest.Data))
				if done == total {
					return
				}
				text := strconv.Itoa(done + 1)
				if _, err := q.Append(t.Context(), []byte(text), text, end); err != nil && !errors.Is(err, queue.ErrConflict) {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	q := open(t, s.URL(), options())
	c := consumer(t, q, queue.ConsumerOptions{Name: "reader", AckWait: patience, Inactive: time.Hour, FromBeginning: true})
	for n := range total {
		d := next(t, c)
		if got := string(d.Data); got != strconv.Itoa(n+1) {
			t.Fatalf("message %d is %s", n+1, got)
		}
		if err := d.Ack(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if p, err := c.Progress(t.Context()); err != nil || p.Waiting != 0 {
		t.Errorf("%+v, %v", p, err)
	}
}

// A message that was appended and has the same id is a conflict, whatever the queue ends with.
func TestIDsNameMessages(t *testing.T) {
	t.Parallel()
	q := open(t, natstest.Start(t).URL(), options())
	if _, end, err := q.Last(t.Context()); end != 0 || err != nil {
		t.Fatalf("an empty queue ends at %d, %v", end, err)
	}
	fill(t, q, 1, 2)
	for _, behind := range []uint64{0, 1, 3} {
		if _, err := q.Append(t.Context(), []byte("x"), "x", behind); !errors.Is(err, queue.ErrConflict) {
			t.Errorf("behind %d: %v", behind, err)
		}
	}
	if _, err := q.Append(t.Context(), []byte("1"), "1", 2); !errors.Is(err, queue.ErrConflict) {
		t.Errorf("an id again: %v", err)
	}
}

// Two that share a consumer never have a message each: the second gets the first's when that was not prolonged in time.
func TestOneMessageAtATime(t *testing.T) {
	t.Parallel()
	s := natstest.Start(t)
	q := open(t, s.URL(), options())
	o := queue.ConsumerOptions{Name: "shared", AckWait: 2 * time.Second, Inactive: time.Hour}
	first, second := consumer(t, q, o), consumer(t, open(t, s.URL(), options()), o)
	fill(t, q, 1, 3)
	held := next(t, first)
	if held.Sequence != 1 || held.Attempt != 1 {
		t.Fatalf("message %d, attempt %d", held.Sequence, held.Attempt)
	}
	for end := time.Now().Add(2 * o.AckWait); time.Now().Before(end); time.Sleep(o.AckWait / 8) { // prolonged all the time
		if err := held.Working(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if p, err := second.Progress(t.Context()); err != nil || p != (queue.Progress{Waiting: 3}) {
		t.Errorf("%+v, %v", p, err)
	}
	again := next(t, second) // once it is not
	if again.Sequence != 1 || again.Attempt < 2 {
		t.Errorf("message %d, attempt %d", again.Sequence, again.Attempt)
	}
	if err := again.Ack(t.Context()); err != nil {
		t.Fatal(err)
	}
	if d := next(t, first); d.Sequence != 2 {
		t.Errorf("then message %d", d.Sequence)
	}
}

// A consumer outlives its publisher and the server, and begins where it was created.
func TestConsumersGoOnWhereTheyWere(t *testing.T) {
	t.Parallel()
	s := natstest.Start(t)
	q := open(t, s.URL(), options())
	fill(t, q, 1, 2)
	o := queue.ConsumerOptions{Name: "later", AckWait: time.Second, Inactive: time.Hour}
	if _, err := q.Consumer(t.Context(), o, false); !errors.Is(err, queue.ErrLost) {
		t.Errorf("one that is not there: %v", err)
	}
	consumer(t, q, o)
	fill(t, q, 3, 5)
	if err := next(t, consumer(t, q, o)).Ack(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.Restart(t)
	var got []uint64
	c := consumer(t, open(t, s.URL(), options()), o)
	for range 2 {
		d := next(t, c)
		got = append(got, d.Sequence)
		if err := d.Ack(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if want := []uint64{4, 5}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// Messages expire, and one that is kept does not. Its sequence is not used again.
func TestWhatIsKeptStays(t *testing.T) {
	t.Parallel()
	o := options()
	o.MaxAge = 2 * time.Second
	q := open(t, natstest.Start(t).URL(), o)
	fill(t, q, 1, 2)
	for n, text := range []string{"first", "second"} {
		if _, err := q.Keep(t.Context(), []byte(text), uint64(n)+2); err != nil {
			t.Fatal(err)
		}
	}
	if m, found, err := q.First(t.Context(), 2); !found || err != nil || string(m.Data) != "second" {
		t.Errorf("behind 2: %q, %v, %v", m.Data, found, err)
	}
	fill(t, q, 5, 6)
	last := func() string {
		m, end, err := q.Last(t.Context())
		if err != nil || end != 6 {
			t.Fatalf("%d, %v", end, err)
		}
		return fmt.Sprint(string(m.Data), " ", m.Sequence)
	}
	if got := last(); got != "6 6" {
		t.Errorf("the newest is %s", got)
	}
	waiting.Until(t, "the messages expire", func() bool { return last() == "second 4" })
	m, found, err := q.First(t.Context(), 0)
	if diff := cmp.Diff("second", string(m.Data)); diff != "" || !found || err != nil {
		t.Errorf("the oldest: %s, %v, %v", diff, found, err)
	}
}

// A queue whose stream was deleted says so.
func TestALostQueueIsToldOf(t *testing.T) {
	t.Parallel()
	s := natstest.Start(t)
	q := open(t, s.URL(), options())
	c := consumer(t, q, queue.ConsumerOptions{Name: "c", AckWait: time.Second, Inactive: time.Hour})
	fill(t, q, 1, 1)
	answer, err := natstest.ConnectPublishers(t, s.URL()).Request("$JS.API.STREAM.DELETE."+options().Stream, nil, patience)
	if err != nil {
		t.Fatalf("%v, %v", answer, err)
	}
	_, _, lastErr := q.Last(t.Context())
	if _, err := q.Append(t.Context(), nil, "x", 1); err == nil {
		t.Error("something was appended")
	}
	_, progressErr := c.Progress(t.Context())
	for what, err := range map[string]error{"last": lastErr, "progress": progressErr} {
		if !errors.Is(err, queue.ErrLost) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := c.Next(t.Context()); !errors.Is(err, queue.ErrLost) {
		t.Errorf("next: %v", err)
	}
}

// On a server without accounts the queue lies beside the log.
func TestWithoutAccounts(t *testing.T) {
	t.Parallel()
	fill(t, open(t, natstest.StartWithoutAccounts(t).URL(), options()), 1, 2)
}
