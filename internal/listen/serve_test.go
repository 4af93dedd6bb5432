package listen_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/flagside/flagside/internal/listen"
)

// patience is how long these tests wait for what must happen.
const patience = 20 * time.Second

// served is a server that runs, and answers a request when it is told to.
type served struct {
	addr    string
	stop    context.CancelFunc
	ended   chan error
	arrived chan struct{} // gets one value for each request
	release chan struct{} // lets the requests be answered when it is closed
}

func serveUntil(t *testing.T, drain time.Duration) *served {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	s := &served{addr: l.Addr().String(), stop: stop, ended: make(chan error, 1), arrived: make(chan struct{}, 1), release: make(chan struct{})}
	server := &http.Server{ReadHeaderTimeout: patience, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.arrived <- struct{}{}
		select {
		case <-s.release:
			_, _ = io.WriteString(w, "answered")
		case <-r.Context().Done():
		}
	})}
	go func() { s.ended <- listen.Serve(ctx, server, l, drain) }()
	return s
}

// get asks and returns the answer, "" if there is none.
func (s *served) get(t *testing.T) <-chan string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.addr, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	answer := make(chan string, 1)
	go func() {
		client := http.Client{Transport: new(http.Transport)}
		defer client.CloseIdleConnections()
		response, err := client.Do(request)
		if err != nil {
			answer <- ""
			return
		}
		defer response.Body.Close()
		text, _ := io.ReadAll(response.Body) // a part is no answer either
		answer <- string(text)
	}()
	return answer
}

// A request that is being answered when the server stops gets its answer; no connection is taken any more.
func TestServeAnswersWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	s := serveUntil(t, patience)
	answer := s.get(t)
	<-s.arrived
	s.stop()
	for refused := false; !refused; {
		c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", s.addr)
		if refused = err != nil; !refused {
			c.Close()
		}
	}
	select {
	case err := <-s.ended:
		t.Fatalf("the server ended before its request: %v", err)
	default:
	}
	close(s.release)
	if got := <-answer; got != "answered" {
		t.Errorf("the request under way got %q", got)
	}
	if err := <-s.ended; err != nil {
		t.Error(err)
	}
}

func TestServeCutsOffWhatTakesTooLong(t *testing.T) {
	t.Parallel()
	s := serveUntil(t, time.Millisecond)
	answer := s.get(t)
	<-s.arrived
	s.stop()
	if err := <-s.ended; !errors.Is(err, listen.ErrCutOff) {
		t.Errorf("the server ended with %v, want %v", err, listen.ErrCutOff)
	}
	if got := <-answer; got != "" {
		t.Errorf("a request that was cut off got %q", got)
	}
}

func TestServeFailsWithItsListener(t *testing.T) {
	t.Parallel()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if err := listen.Serve(t.Context(), new(http.Server), l, patience); !errors.Is(err, net.ErrClosed) { // #nosec G112 -- it never serves
		t.Errorf("a closed listener is served: %v", err)
	}
}
