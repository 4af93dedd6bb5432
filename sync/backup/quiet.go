package backup

import (
	"context"
	"errors"
	"fmt"
	"time"

	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/internal/jetstream"
)

// ErrBusy means that a publisher runs.
var ErrBusy = errors.New("a publisher runs")

// silence is how long no heartbeat may be heard: a publisher sends one a second, and may miss two.
const silence = 4 * time.Second

// AwaitSilence listens for heartbeats, and fails with [ErrBusy] when one comes.
func AwaitSilence(ctx context.Context, conn *flagsync.Conn) error {
	heard := make(chan string, 1)
	s, err := jetstream.Use(conn).Subscribe(jetstream.HeartbeatSubject("*"), func(m jetstream.Message) {
		select {
		case heard <- m.Subject:
		default:
		}
	})
	if err != nil {
		return err
	}
	defer s.Unsubscribe()
	timer := time.NewTimer(silence)
	defer timer.Stop()
	select {
	case subject := <-heard:
		return fmt.Errorf("%w: it sends %s: stop all publishers first", ErrBusy, subject)
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
