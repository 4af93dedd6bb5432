//go:build linux

package load

import (
	"errors"
	"fmt"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"golang.org/x/sys/unix"
)

// run is one run of a session.
type run struct {
	*Session

	start, end time.Time
	interval   time.Duration // between two requests of an open loop; 0 in a closed loop
	planned    int           // requests of an open loop

	now      time.Time
	last     time.Time // of the newest answer
	idle     []*connection
	begun    int
	answers  int
	latency  *hdrhistogram.Histogram
	progress time.Time
}

// The histogram tells times from 100 ns to a minute apart to a thousandth.
func newRun(s *Session, d time.Duration, rate float64) *run {
	r := &run{Session: s, latency: hdrhistogram.New(100, int64(time.Minute), 3)}
	for _, c := range s.connections {
		r.idle = append(r.idle, c)
	}
	r.start = time.Now()
	r.now, r.last, r.progress, r.end = r.start, r.start, r.start, r.start.Add(d)
	if rate > 0 {
		r.interval = time.Duration(float64(time.Second) / rate)
		r.planned = int(d / r.interval)
	}
	return r
}

// finished reports whether everything was sent and answered.
func (r *run) finished() bool {
	if r.answers < r.begun {
		return false
	}
	if r.interval > 0 {
		return r.begun == r.planned
	}
	return !r.now.Before(r.end)
}

// step sends what is due and takes what has arrived.
func (r *run) step() error {
	if err := r.send(); err != nil {
		return err
	}
	n, err := r.wait()
	if err != nil && !errors.Is(err, unix.EINTR) {
		return err
	}
	r.now = time.Now()
	for _, event := range r.events[:max(n, 0)] {
		if err := r.handle(event); err != nil {
			return err
		}
	}
	if waited := r.now.Sub(r.progress); r.answers < r.begun && waited > patience {
		return fmt.Errorf("%d requests have no answer, and nothing came for %s", r.begun-r.answers, waited.Round(time.Second))
	}
	if late := r.now.Sub(r.end); late > patience {
		return fmt.Errorf("%s after the end %d requests have no answer, and %d of %d were sent: the server cannot keep up", late.Round(time.Second), r.begun-r.answers, r.begun, r.planned)
	}
	return nil
}

// impatience is how long events are asked for before the thread sleeps until there are some. A busy server answers so soon, and need not wake what
// asks it: that would cost it as much as a part of the answer.
const impatience = 20 * time.Microsecond

// wait waits for events.
func (r *run) wait() (events int, err error) {
	pause := r.pause()
	for begin := time.Now(); ; {
		n, err := unix.EpollWait(r.poller, r.events, 0)
		if n != 0 || err != nil || pause == 0 {
			return n, err
		}
		if time.Since(begin) > impatience {
			return unix.EpollWait(r.poller, r.events, pause)
		}
	}
}

// send starts the requests that are due, as far as connections are idle.
func (r *run) send() error {
	for len(r.idle) > 0 {
		due, more := r.due()
		if !more || due.After(r.now) {
			return nil
		}
		c := r.idle[0]
		r.idle = r.idle[1:]
		r.begun++
		if r.begun == 1 {
			r.progress = r.now
		}
		if err := r.Session.start(c, due); err != nil {
			return err
		}
	}
	return nil
}

// due returns when the next request is to be sent, if there is one. In an open loop that may have been long ago.
func (r *run) due() (at time.Time, more bool) {
	if r.interval == 0 {
		return r.now, r.now.Before(r.end)
	}
	return r.start.Add(time.Duration(r.begun) * r.interval), r.begun < r.planned
}

// The longest wait for events, and how long before a request is due the waiting does not sleep any more, in milliseconds.
const (
	longestPause = 100
	wakeBefore   = 2
)

// pause returns for how many milliseconds to wait for events: not at all when a request is due soon, because waking up takes too long.
func (r *run) pause() int {
	due, more := r.due()
	if !more || len(r.idle) == 0 {
		return longestPause
	}
	return int(max(0, min(longestPause, due.Sub(r.now).Milliseconds()-wakeBefore)))
}

func (r *run) handle(event unix.EpollEvent) error {
	c := r.connections[int(event.Fd)]
	if event.Events&unix.EPOLLOUT != 0 {
		if err := r.flush(c); err != nil {
			return err
		}
	}
	if event.Events&^uint32(unix.EPOLLOUT) == 0 {
		return nil
	}
	complete, err := c.receive(r.buffer)
	if err != nil {
		return err
	}
	if err := r.watch(c); err != nil {
		return err
	}
	r.progress = r.now
	if complete {
		return r.answered(c)
	}
	return nil
}

// answered counts an answer.
func (r *run) answered(c *connection) error {
	if !c.busy {
		return errors.New("the server has answered without a request")
	}
	r.last = time.Now()
	c.busy = false
	r.answers++
	r.idle = append(r.idle, c)
	return r.latency.RecordValue(max(1, r.last.Sub(c.intended).Nanoseconds()))
}
