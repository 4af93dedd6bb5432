package listen

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// ErrCutOff means that requests were still being answered when their time was over.
var ErrCutOff = errors.New("requests were cut off")

// Serve answers requests that arrive at l until ctx ends, and closes l. Requests that are being answered then get at most drain to end. It returns when the
// server is gone: nil, ErrCutOff if drain was not enough, or the error of an l that fails before. A server can be served once.
func Serve(ctx context.Context, server *http.Server, l net.Listener, drain time.Duration) error {
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	select {
	case err := <-served:
		return errors.Join(err, server.Close())
	case <-ctx.Done():
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	err := server.Shutdown(ending)
	if err != nil {
		err = errors.Join(fmt.Errorf("%w: %w", ErrCutOff, err), server.Close())
	}
	<-served
	return err
}
