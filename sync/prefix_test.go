package flagsync_test

import (
	"context"
	"errors"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/flagside/flagside/internal/natstest"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/writer"
)

// startAt runs a server at a port, which ends with the returned function.
func startAt(t *testing.T, port int, config string) (stop func()) {
	t.Helper()
	o := &server.Options{Host: "127.0.0.1", Port: port, NoSigs: true, NoLog: true, JetStream: true, StoreDir: t.TempDir()}
	if err := o.ProcessConfigString(config); err != nil {
		t.Fatal(err)
	}
	s, err := server.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	stopped := false
	stop = func() {
		if !stopped {
			s.Shutdown()
			s.WaitForShutdown()
		}
		stopped = true
	}
	t.Cleanup(stop)
	if !s.ReadyForConnections(patience) {
		t.Fatal("the server does not start")
	}
	return stop
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// TestAccountsComeAndGo connects to a server that has accounts, then has none,
// and then has them again: each time the connection finds the streams.
func TestAccountsComeAndGo(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	with, without := string(natstest.Authorization(t)), "debug: false"
	stop := startAt(t, port, with)
	c := connect(t, "nats://127.0.0.1:"+strconv.Itoa(port))
	for round, config := range []string{with, without, with, without} {
		if round > 0 {
			stop()
			stop = startAt(t, port, config)
		}
		patiently(t, func(ctx context.Context) error {
			_, err := writer.OpenEnvironments(ctx, c, 1)
			return err
		})
		eventually(t, func() (bool, string) {
			return c.WithoutAccounts() == (config == without), "the connection to know the server"
		})
	}
}

// TestSilenceDoesNotDenyAccounts asks a server on which the question is not
// answered at first: nothing is sent where streams without accounts would be.
func TestSilenceDoesNotDenyAccounts(t *testing.T) {
	t.Parallel()
	s := natstest.StartWithoutAccounts(t)
	plain, err := nats.Connect(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(plain.Close)
	silent, err := plain.Subscribe("flagside.api.>", func(*nats.Msg) {})
	if err != nil {
		t.Fatal(err)
	}
	asked, err := plain.SubscribeSync("$JS.API.>")
	if err != nil {
		t.Fatal(err)
	}
	if err := plain.FlushTimeout(patience); err != nil {
		t.Fatal(err)
	}
	c := connect(t, s.URL())
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if _, err := writer.OpenEnvironments(ctx, c, 1); !errors.Is(err, flagsync.ErrUnreachable) {
		t.Errorf("without an answer: %v", err)
	}
	if msg, err := asked.NextMsg(10 * time.Millisecond); err == nil {
		t.Errorf("%s was asked although nothing is known", msg.Subject)
	}
	if err := silent.Unsubscribe(); err != nil {
		t.Fatal(err)
	}
	patiently(t, func(ctx context.Context) error {
		_, err := writer.OpenEnvironments(ctx, c, 1)
		return err
	})
	if !c.WithoutAccounts() {
		t.Error("a server without accounts is taken for one with them")
	}
}
