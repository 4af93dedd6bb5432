package admin

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/flagside/flagside/internal/publisher/api"
)

// slow is a client that takes its time for each piece.
type slow struct {
	*httptest.ResponseRecorder

	pause time.Duration
}

func (s slow) Write(p []byte) (int, error) {
	time.Sleep(s.pause)
	return s.ResponseRecorder.Write(p)
}

// answering answers with a number of bytes.
func answering(size int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		for range size / 1024 {
			_, _ = io.WriteString(w, strings.Repeat("x", 1024))
		}
	})
}

func asked(method, body string) *http.Request {
	return httptest.NewRequest(method, "/", strings.NewReader(body))
}

func TestAnswersAreCountedUntilTheyAreTaken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		refused := 0
		b := NewBounds(1<<20, func() { refused++ })
		ask := func(method, body string, size int, pause time.Duration) *httptest.ResponseRecorder {
			w := httptest.NewRecorder()
			b.Handler(answering(size)).ServeHTTP(slow{w, pause}, asked(method, body))
			return w
		}
		for range 3 { // which take a while for their 200 KB
			go ask(http.MethodGet, "", 200<<10, time.Second)
		}
		synctest.Wait()
		for _, test := range []struct {
			method, body string
			size, status int
		}{
			{http.MethodGet, "", 400 << 10, http.StatusServiceUnavailable},
			{http.MethodGet, "", 1 << 10, http.StatusOK}, // what is small goes on
			{http.MethodPost, strings.Repeat("x", 400<<10), 0, http.StatusServiceUnavailable},
			{http.MethodPost, "{}", 1 << 10, http.StatusOK},
		} {
			got := ask(test.method, test.body, test.size, 0)
			if got.Code != test.status {
				t.Errorf("%s of %d and %d bytes: %d, want %d", test.method, len(test.body), test.size, got.Code, test.status)
			}
			if got.Code == http.StatusOK {
				continue
			}
			var p api.Problem
			err := json.Unmarshal(got.Body.Bytes(), &p)
			if err != nil || p.Type != api.ProblemUnavailable || got.Header().Get("Retry-After") == "" || !strings.Contains(p.Detail, "in use") {
				t.Errorf("%v: %v %s", err, got.Header(), got.Body)
			}
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := ask(http.MethodGet, "", 400<<10, 0); got.Code != http.StatusOK || got.Body.Len() != 400<<10 {
			t.Errorf("when all are taken: %d, %d bytes", got.Code, got.Body.Len())
		}
		if refused != 2 || b.budget.Used() != 0 {
			t.Errorf("%d were refused, and %d bytes are left over", refused, b.budget.Used())
		}
	})
}

// Anyone who has nothing under way, or has changed something, is told, however little is left.
func TestWhatIsSmallIsAnswered(t *testing.T) {
	t.Parallel()
	b := NewBounds(1<<20, func() {})
	b.budget.Force(1 << 20)
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		w := httptest.NewRecorder()
		if b.Handler(answering(1<<10)).ServeHTTP(w, asked(method, "{}")); w.Code != http.StatusOK {
			t.Errorf("the first %s: %d", method, w.Code)
		}
	}
	var inner *httptest.ResponseRecorder
	b.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		inner = httptest.NewRecorder()
		b.Handler(answering(1<<10)).ServeHTTP(inner, asked(http.MethodGet, ""))
	})).ServeHTTP(httptest.NewRecorder(), asked(http.MethodGet, ""))
	if inner.Code != http.StatusServiceUnavailable {
		t.Errorf("the second at the same time: %d", inner.Code)
	}
}

// A client that takes an answer bit by bit is cut off, before others have to wait for an hour.
func TestAnswersAreTakenInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := NewBounds(64<<20, func() {})
		const size = 10 << 20
		take := func(pause time.Duration) (taken int, cut bool) {
			w := httptest.NewRecorder()
			defer func() {
				taken, cut = w.Body.Len(), recover() == http.ErrAbortHandler //nolint:errorlint // net/http compares it as well
			}()
			b.Handler(answering(size)).ServeHTTP(slow{w, pause}, asked(http.MethodGet, ""))
			return
		}
		if taken, cut := take(time.Second); taken != size || cut {
			t.Errorf("a client that takes 64 KB a second gets %d bytes, and is cut off: %v", taken, cut)
		}
		begun := time.Now()
		if taken, cut := take(19 * time.Second); taken > size/4 || !cut || time.Since(begun) > 5*time.Minute {
			t.Errorf("a client that takes 64 KB in 19 s gets %d bytes in %s, and is cut off: %v", taken, time.Since(begun), cut)
		}
		if b.budget.Used() != 0 {
			t.Errorf("%d bytes are left over", b.budget.Used())
		}
	})
}

func TestStreamsCountOnce(t *testing.T) {
	t.Parallel()
	b := NewBounds(4<<20, func() {})
	w := httptest.NewRecorder()
	b.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if !w.(*answer).stream(streamCost) {
			t.Error("there is no memory for a stream")
		}
		for range 16 {
			_, _ = w.Write(bytes.Repeat([]byte("x"), 1<<20))
		}
		if used := b.budget.Used(); used > 2*streamCost {
			t.Errorf("a stream takes %d bytes", used)
		}
	})).ServeHTTP(w, asked(http.MethodGet, ""))
	if w.Body.Len() != 16<<20 {
		t.Errorf("%d bytes are sent", w.Body.Len())
	}
	b.budget.Force(4 << 20)
	w = httptest.NewRecorder()
	b.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if w.(*answer).stream(streamCost) {
			t.Error("a stream begins without memory")
		}
	})).ServeHTTP(w, asked(http.MethodGet, ""))
	if w.Code != http.StatusServiceUnavailable {
		t.Errorf("without memory: %d", w.Code)
	}
}
