package natstest_test

import (
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/flagside/flagside/internal/natstest"
)

// TestUsers connects as all users: only the operator may do what no publisher and
// no sidecar may.
func TestUsers(t *testing.T) {
	t.Parallel()
	s := natstest.Start(t)
	key, err := nats.NkeyOptionFromSeed(natstest.SidecarKey(t))
	if err != nil {
		t.Fatal(err)
	}
	refused := func(subject string, options ...nats.Option) bool {
		c, err := nats.Connect(s.URL(), options...)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := c.Publish(subject, nil); err != nil {
			t.Fatal(err)
		}
		if err := c.FlushTimeout(10 * time.Second); err != nil {
			t.Fatal(err)
		}
		return errors.Is(c.LastError(), nats.ErrPermissionViolation)
	}
	for name, c := range map[string]struct {
		options []nats.Option
		refused map[string]bool
	}{
		"the publisher": {nil, map[string]bool{"feed.prod.x": true, "flags.prod.x": false}},
		"the sidecar": {[]nats.Option{key}, map[string]bool{
			"feed.prod.x": true, "flags.prod.x": true, "flagside.api.STREAM.INFO.FLAGS_prod": false, "flagside.api.STREAM.INFO.FLAGS_other": true,
			"$JS.API.STREAM.INFO.FLAGS_prod": true,
		}},
	} {
		for subject, want := range c.refused {
			if got := refused(subject, c.options...); got != want {
				t.Errorf("%s is refused %s: %t, want %t", name, subject, got, want)
			}
		}
	}
	c := s.Client(t)
	if err := errors.Join(c.Publish("feed.prod.x", nil), c.FlushTimeout(10*time.Second), c.LastError()); err != nil {
		t.Error(err)
	}
}
