package admin

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// As many requests are evaluated at once as there are places; of one caller fewer. What finds no place waits, for a while.
func TestTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		turns := newTurns()
		status := func(err error) (code int, retry string) {
			if p, ok := errors.AsType[*problem](err); ok {
				return p.Status, p.headers.Get("Retry-After")
			}
			return 0, ""
		}
		var ends []func()
		for _, caller := range []string{"a", "b"} {
			for range evaluatingShare {
				end, err := turns.take(t.Context(), caller)
				if err != nil {
					t.Fatal(err)
				}
				ends = append(ends, end)
			}
			if _, err := turns.take(t.Context(), caller); err == nil {
				t.Fatal("one caller has more than its share")
			} else if code, retry := status(err); code != http.StatusTooManyRequests || retry != "1" {
				t.Errorf("more than its share is answered with %d, Retry-After %q", code, retry)
			}
		}
		begun := time.Now()
		if _, err := turns.take(t.Context(), "c"); err == nil {
			t.Fatal("more are evaluated at once than there are places")
		} else if code, retry := status(err); code != http.StatusServiceUnavailable || retry != "1" || time.Since(begun) != evaluatingWait {
			t.Errorf("after %v the answer is %d, Retry-After %q", time.Since(begun), code, retry)
		}
		gone, leave := context.WithCancel(t.Context())
		leave()
		if _, err := turns.take(gone, "c"); !errors.Is(err, context.Canceled) {
			t.Errorf("a caller that is gone gets %v", err)
		}
		taken := make(chan func())
		go func() {
			end, err := turns.take(t.Context(), "c")
			if err != nil {
				t.Error(err)
			}
			taken <- end
		}()
		synctest.Wait()
		ends[0]()
		(<-taken)()
		for _, end := range ends[1:] {
			end()
		}
		if len(turns.places) != 0 || len(turns.by) != 0 {
			t.Errorf("%d places are taken by %v, and all have ended", len(turns.places), turns.by)
		}
	})
}
