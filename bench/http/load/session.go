//go:build linux

package load

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"golang.org/x/sys/unix"
)

// Session is open connections to a server. One goroutine uses it.
type Session struct {
	plan        Plan
	poller      int
	connections map[int]*connection // by file descriptor
	buffer      []byte
	events      []unix.EpollEvent
	scratch     []byte // the request that is sent
	sent        uint64 // since the session began
}

// Result is what a run has measured.
type Result struct {
	// Answers is how many requests were answered as they should.
	Answers int
	// Took is the time from the first request to the last answer.
	Took time.Duration
	// Latency has the time of each answer in nanoseconds: in an open loop from when its request was to be sent, in a closed loop from when it was.
	Latency *hdrhistogram.Histogram
}

// Open connects to the server of a plan. The caller closes the session.
func Open(p Plan) (*Session, error) {
	if len(p.Requests) == 0 {
		return nil, errors.New("no requests to send")
	}
	poller, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	if p.Connections == 0 {
		p.Connections = 16
	}
	s := &Session{plan: p, poller: poller, connections: make(map[int]*connection), buffer: make([]byte, 512<<10), events: make([]unix.EpollEvent, p.Connections)}
	for range p.Connections {
		if err := s.connect(); err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", p.Target, err), s.Close())
		}
	}
	return s, nil
}

func (s *Session) connect() error {
	var e exchange = &http1{status: s.plan.Status}
	if s.plan.Requests[0].grpc {
		e = newHTTP2()
	}
	c, err := connect(s.plan.Target, e)
	if err != nil {
		return err
	}
	s.connections[c.fd] = c
	if opening := e.opening(); len(opening) > 0 {
		if err := c.send(opening); err != nil {
			return err
		}
	}
	return unix.EpollCtl(s.poller, unix.EPOLL_CTL_ADD, c.fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(c.fd)})
}

// Close closes the connections.
func (s *Session) Close() error {
	err := unix.Close(s.poller)
	for _, c := range s.connections {
		err = errors.Join(err, c.file.Close())
	}
	return err
}

// A server that answers nothing for so long, or has so long to answer what is left at the end, has failed.
const patience = 10 * time.Second

// Run sends requests for a time and waits for the answers: at a rate (requests a second), or, if that is 0, on each connection the next one as soon as
// the last was answered. The first answer that is not as it should be ends the session.
func (s *Session) Run(ctx context.Context, d time.Duration, rate float64) (Result, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var canceled atomic.Bool
	defer context.AfterFunc(ctx, func() { canceled.Store(true) })()
	r := newRun(s, d, rate)
	for !r.finished() {
		if err := r.step(); err != nil {
			return Result{}, fmt.Errorf("%s: after %d answers: %w", s.plan.Target, r.answers, err)
		}
		if canceled.Load() {
			return Result{}, ctx.Err()
		}
	}
	return Result{Answers: r.answers, Took: r.last.Sub(r.start), Latency: r.latency}, nil
}

// start sends the next request on an idle connection.
func (s *Session) start(c *connection, intended time.Time) error {
	request := &s.plan.Requests[s.sent%uint64(len(s.plan.Requests))]
	s.scratch = c.exchange.request(s.scratch[:0], request)
	if request.digits >= 0 {
		number := s.scratch[request.digits : request.digits+len(Number)]
		strconv.AppendUint(number[:0], firstNumber+s.sent, 10)
	}
	s.sent++
	c.intended, c.busy = intended, true
	if err := c.send(s.scratch); err != nil {
		return err
	}
	return s.watch(c)
}

// firstNumber has as many digits as Number.
const firstNumber = 1_000_000_000

// watch asks the poller to say when there is room for what waits to be sent. As a rule nothing does.
func (s *Session) watch(c *connection) error {
	if len(c.out) == 0 {
		return nil
	}
	return unix.EpollCtl(s.poller, unix.EPOLL_CTL_MOD, c.fd, &unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLOUT, Fd: int32(c.fd)})
}

// flush sends what waits.
func (s *Session) flush(c *connection) error {
	if err := c.flush(); err != nil || len(c.out) > 0 {
		return err
	}
	return unix.EpollCtl(s.poller, unix.EPOLL_CTL_MOD, c.fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(c.fd)})
}
