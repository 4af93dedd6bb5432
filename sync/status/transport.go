package status

import (
	"fmt"
	"strings"

	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/internal/jetstream"
)

// What may wait to be taken by a listener. A thousand sidecars acknowledge a change
// at the same moment.
const (
	pendingReports = 64 << 10
	pendingBytes   = 32 << 20
)

// Send sends a report about an environment, and waits for nothing. That it was sent does
// not mean that it arrives. Without a connection it fails at once with [flagsync.ErrUnreachable].
func Send(c *flagsync.Conn, environment string, r Report) error {
	data, err := Encode(r)
	if err != nil {
		return err
	}
	client := jetstream.Use(c)
	if !client.Connected() {
		return jetstream.ErrNoConnection
	}
	return client.Send(jetstream.NewOutgoing(jetstream.StatusSubject(environment)+"."+r.Boot, data))
}

// Listener hears the reports about one environment. Create it with [Listen].
type Listener struct {
	// Missed gets a value when reports may have been missed: after each connect, and
	// when more came than were taken. It holds one.
	Missed <-chan struct{}

	stop func()
}

// Listen has take called with every report about an environment, one after the other, or
// with why a message is none. It goes on until Close.
func Listen(c *flagsync.Conn, environment string, take func(Report, error)) (*Listener, error) {
	client := jetstream.Use(c)
	missed, ignore := client.Listen()
	subject := jetstream.StatusSubject(environment) + "."
	sub, err := client.Subscribe(subject+"*", func(m jetstream.Message) {
		r, err := Decode(m.Data)
		if err == nil && r.Boot != strings.TrimPrefix(m.Subject, subject) {
			err = fmt.Errorf("status report: the subject %q is not that of the boot id in it", Cut(m.Subject, MaxText))
		}
		take(r, err)
	})
	if err != nil {
		ignore()
		return nil, err
	}
	if err := sub.Limit(pendingReports, pendingBytes); err != nil {
		sub.Unsubscribe()
		ignore()
		return nil, err
	}
	return &Listener{Missed: missed, stop: func() {
		sub.Unsubscribe()
		ignore()
	}}, nil
}

// Close ends it. A report may still be under way to take.
func (l *Listener) Close() { l.stop() }
