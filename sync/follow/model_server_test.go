package follow_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/flagside/flagside/sync/internal/jetstream"
)

// wire speaks the client protocol of NATS over pipes, so that connections,
// followers and their time-outs run in the virtual time of a test. What is
// answered, what is lost and how long things take is up to its owner.
type wire struct {
	answer func(request) // called in a goroutine of its own

	mu       sync.Mutex
	refuse   bool // new connections
	hole     bool // whatever goes in is swallowed
	sessions map[*session]struct{}
	attempts []time.Time // to connect
}

// request is a message of a client.
type request struct {
	session *session
	subject string
	reply   string
	data    []byte
}

// line is what is sent to a client, and when it comes at the earliest.
type line struct {
	data []byte
	at   time.Time
}

// session is one connection.
type session struct {
	wire   *wire
	conn   net.Conn
	out    chan line
	closed chan struct{}
	once   sync.Once
	creeps atomic.Pointer[time.Time] // since when each line comes later than the one before; nil is not

	mu   sync.Mutex
	subs map[string]string // sid to subject
	deaf bool              // nothing passes any more
}

func newWire(answer func(request)) *wire {
	return &wire{answer: answer, sessions: make(map[*session]struct{})}
}

// InProcessConn takes a connection.
func (w *wire) InProcessConn() (net.Conn, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.attempts = append(w.attempts, time.Now())
	if w.refuse {
		return nil, errors.New("refused")
	}
	client, server := net.Pipe()
	s := &session{
		wire: w, conn: server, out: make(chan line, 1<<16), closed: make(chan struct{}), subs: make(map[string]string), deaf: w.hole,
	}
	w.sessions[s] = struct{}{}
	go s.write()
	go s.read()
	return jetstream.Greeted(client), nil
}

func (w *wire) all() []*session {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []*session
	for s := range w.sessions {
		all = append(all, s)
	}
	return all
}

// cut ends all connections.
func (w *wire) cut() {
	for _, s := range w.all() {
		s.end()
	}
}

// blackHole swallows everything on the connections there are, for good.
func (w *wire) blackHole() {
	for _, s := range w.all() {
		s.mu.Lock()
		s.deaf = true
		s.mu.Unlock()
	}
}

// setHole swallows everything on the connections there are, for good, and on
// those that are made until it is turned off.
func (w *wire) setHole(on bool) {
	w.mu.Lock()
	w.hole = on
	w.mu.Unlock()
	if on {
		w.blackHole()
	}
}

func (w *wire) setRefuse(on bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.refuse = on
}

// creep lets what is sent on the connections there are come later and later, by
// eight tenths of the time since then.
func (w *wire) creep() {
	for _, s := range w.all() {
		s.creeps.Store(new(time.Now()))
	}
}

// tried returns when connections were attempted.
func (w *wire) tried() []time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]time.Time(nil), w.attempts...)
}

// publish sends a message to everybody who subscribes to its subject.
func (w *wire) publish(subject, header string, data []byte) {
	for _, s := range w.all() {
		s.send(subject, header, data)
	}
}

func (s *session) end() {
	s.once.Do(func() { close(s.closed) })
	_ = s.conn.Close()
	s.wire.mu.Lock()
	defer s.wire.mu.Unlock()
	delete(s.wire.sessions, s)
}

func (s *session) isDeaf() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.deaf
}

// send delivers a message once for each subscription that matches.
func (s *session) send(subject, header string, data []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for sid, pattern := range s.subs {
		if !s.deaf && subjectMatches(pattern, subject) {
			s.queue(encodeMessage(subject, sid, header, data))
		}
	}
}

func (s *session) queue(data []byte) {
	at := time.Now()
	if since := s.creeps.Load(); since != nil {
		at = at.Add(at.Sub(*since) * 8 / 10)
	}
	select {
	case s.out <- line{data: data, at: at}:
	case <-s.closed:
	}
}

func encodeMessage(subject, sid, header string, data []byte) []byte {
	if header == "" {
		return fmt.Appendf(nil, "MSG %s %s %d\r\n%s\r\n", subject, sid, len(data), data)
	}
	header = "NATS/1.0" + header + "\r\n\r\n"
	return fmt.Appendf(nil, "HMSG %s %s %d %d\r\n%s%s\r\n", subject, sid, len(header), len(header)+len(data), header, data)
}

func subjectMatches(pattern, subject string) bool {
	if all, ok := strings.CutSuffix(pattern, ">"); ok {
		return strings.HasPrefix(subject, all)
	}
	if one, ok := strings.CutSuffix(pattern, "*"); ok {
		rest, ok := strings.CutPrefix(subject, one)
		return ok && !strings.Contains(rest, ".")
	}
	return pattern == subject
}

func (s *session) write() {
	if !s.isDeaf() {
		s.queue([]byte(`INFO {"server_id":"model","version":"2.15.2","proto":1,"headers":true,"max_payload":8388608,"jetstream":true}` + "\r\n"))
	}
	for {
		select {
		case next := <-s.out:
			time.Sleep(time.Until(next.at))
			if _, err := s.conn.Write(next.data); err != nil {
				s.end()
				return
			}
		case <-s.closed:
			return
		}
	}
}

func (s *session) read() {
	defer s.end()
	in := bufio.NewReader(s.conn)
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		if err := s.command(in, fields); err != nil {
			return
		}
	}
}

func (s *session) command(in io.Reader, fields []string) error {
	deaf := s.isDeaf()
	switch fields[0] {
	case "PING":
		if !deaf {
			s.queue([]byte("PONG\r\n"))
		}
	case "SUB":
		s.mu.Lock()
		s.subs[fields[len(fields)-1]] = fields[1]
		s.mu.Unlock()
	case "UNSUB":
		s.mu.Lock()
		if len(fields) == 2 {
			delete(s.subs, fields[1])
		}
		s.mu.Unlock()
	case "PUB", "HPUB":
		return s.published(in, fields, deaf)
	}
	return nil
}

func (s *session) published(in io.Reader, fields []string, deaf bool) error {
	size, err := strconv.Atoi(fields[len(fields)-1])
	if err != nil {
		return err
	}
	data := make([]byte, size+2)
	if _, err := io.ReadFull(in, data); err != nil {
		return err
	}
	arguments := fields[1 : len(fields)-1]
	header := 0
	if fields[0] == "HPUB" {
		if header, err = strconv.Atoi(arguments[len(arguments)-1]); err != nil {
			return err
		}
		arguments = arguments[:len(arguments)-1]
	}
	// Accounts map the one to the other.
	r := request{session: s, subject: strings.Replace(arguments[0], "flagside.api.", "$JS.API.", 1), data: data[header:size]}
	if len(arguments) > 1 {
		r.reply = arguments[1]
	}
	if !deaf {
		go s.wire.answer(r)
	}
	return nil
}
