package natsserver_test

import (
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/logtest"
	"github.com/flagside/flagside/internal/publisher/natsserver"
)

// A client that publishes and subscribes without end where it may not, under ever new names, does not fill the disk with log lines.
func TestRefusedPublishesWriteFewLines(t *testing.T) {
	t.Parallel()
	var out logtest.Log
	s := startWith(t, natsserver.Options{Addr: "127.0.0.1:0", Logger: zerolog.New(&out)})
	const each = 2000
	for _, name := range []string{"one", "two - cid:7", "three"} {
		c, err := nats.Connect(s.ClientURL(), nats.UserInfo("prod", ""), nats.Name(name), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
		if err != nil {
			t.Fatal(err)
		}
		for range each {
			if err := c.Publish("flags.prod.flag.a", nil); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := c.SubscribeSync("flags.>"); err != nil {
			t.Fatal(err)
		}
		if err := c.Flush(); err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
	for range 100 {
		if c, err := nats.Connect(s.ClientURL(), nats.UserInfo("prod", "wrong")); err == nil {
			c.Close()
		}
	}
	// A busy machine may take longer than an interval, each of which has one line more of a kind.
	if got := out.Lines("Publish Violation"); len(got) == 0 || len(got) > 20 {
		t.Errorf("%d lines tell of %d refused publishes", len(got), 3*each)
	}
	if got := out.Lines("Subscription Violation"); len(got) == 0 || len(got) > 3 {
		t.Errorf("%d lines tell of refused subscriptions", len(got))
	}
}
