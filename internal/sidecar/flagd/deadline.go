package flagd

import (
	"context"
	"net/http"
	"time"
)

// deadlineKey is the key of the http.ResponseController in the context of a request.
type deadlineKey struct{}

// writerKey is the key of the http.ResponseWriter in the context of a request.
type writerKey struct{}

// withDeadlines lets streams move the deadlines of their requests, and write past Connect.
func withDeadlines(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := context.WithValue(r.Context(), deadlineKey{}, http.NewResponseController(w))
		next.ServeHTTP(w, r.WithContext(context.WithValue(ctx, writerKey{}, w)))
	})
}

// deadlines returns what moves the deadlines of a request.
func deadlines(ctx context.Context) *http.ResponseController {
	controller, _ := ctx.Value(deadlineKey{}).(*http.ResponseController)
	return controller
}

// beginStream lets a request live on after it was read, for as long as the client likes. Deadlines can only be set on connections that
// are open; on others there is nothing left to bound.
func beginStream(ctx context.Context) {
	_ = deadlines(ctx).SetReadDeadline(time.Time{})
	_ = deadlines(ctx).SetWriteDeadline(time.Time{})
}

// inTime bounds how long one message of a stream may take to be written. Nothing bounds the silence after it.
func inTime(ctx context.Context, send func() error) error {
	_ = deadlines(ctx).SetWriteDeadline(time.Now().Add(writeTimeout))
	err := send()
	_ = deadlines(ctx).SetWriteDeadline(time.Time{})
	return err
}
