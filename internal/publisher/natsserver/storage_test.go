package natsserver_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/faultdisk"
	"github.com/flagside/flagside/internal/logtest"
	"github.com/flagside/flagside/internal/publisher/natsserver"
	"github.com/flagside/flagside/internal/trusttest"
	"github.com/flagside/flagside/internal/waiting"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/writer"
)

const (
	smallDisk = 6 << 20
	// unanswered is how long an answer that a full disk prevents is waited for.
	unanswered = time.Second
)

// stored is what a stream of an embedded server has acknowledged.
type stored struct {
	*testing.T
	client  *client
	subject string
	acked   map[uint64]string
}

// store publishes a message that takes two pages, and reports whether it was acknowledged.
func (s *stored) store(n int) bool {
	s.Helper()
	text := fmt.Sprintf("%d %s", n, strings.Repeat("x", 9000))
	msg := nats.NewMsg(fmt.Sprintf("%s.%d", s.subject, n))
	msg.Data = []byte(text)
	reply, err := s.client.RequestMsg(msg, unanswered)
	if err != nil {
		return false
	}
	var ack struct {
		Sequence uint64 `json:"seq"`
		Error    any    `json:"error"`
	}
	if err := json.Unmarshal(reply.Data, &ack); err != nil {
		s.Fatal(err)
	}
	if ack.Error != nil {
		s.Fatalf("refused: %v", ack.Error)
	}
	s.acked[ack.Sequence] = text
	return true
}

// verify reads everything that was acknowledged.
func (s *stored) verify(stream string) {
	s.Helper()
	for sequence, text := range s.acked {
		reply, err := s.client.Request("flagside.api.STREAM.MSG.GET."+stream, fmt.Appendf(nil, `{"seq":%d}`, sequence), patience)
		if err != nil {
			s.Fatal(err)
		}
		var found struct {
			Message struct {
				Data []byte `json:"data"`
			} `json:"message"`
		}
		if err := json.Unmarshal(reply.Data, &found); err != nil || string(found.Message.Data) != text {
			s.Errorf("message %d of %s was acknowledged and is %.60s, %v", sequence, stream, reply.Data, err)
		}
	}
}

// A full disk is told with its place as soon as a write has met it, and each stream takes writes again when there is space: in the same
// process, on the same connections, with all that was acknowledged.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	for stream, subject := range map[string]string{
		"FLAGS_prod": "flags.prod.flag", "LEDGER_prod": "ledger.prod", "SNAP_prod": "snap.prod", "CONTROL": "control", "PEOPLE": "people",
	} {
		t.Run(stream, func(t *testing.T) {
			t.Parallel()
			disk := faultdisk.StartForJetStream(t, smallDisk)
			var out logtest.Log
			s := startWith(t, natsserver.Options{Addr: "127.0.0.1:0", StoreDir: disk.Dir(), Logger: zerolog.New(&out)})
			url := s.ClientURL()
			c := ownClient(t, s)
			sidecar := mustDial(t, s, nats.UserInfo("prod", ""), nats.CustomInboxPrefix("_SC.prod.x"))
			w := &stored{T: t, client: c, subject: subject, acked: make(map[uint64]string)}
			for n := range 3 {
				if !w.store(n) {
					t.Fatal("a write to a disk with space is not acknowledged")
				}
			}
			for round := range 2 {
				disk.Fill(t, 4096)
				for n := 0; s.StorageError() == nil; n++ {
					if w.store(1000*(round+1)+n) && n > 10 {
						t.Fatal("a full disk acknowledges writes")
					}
				}
				if err := s.StorageError(); !errors.Is(err, flagsync.ErrDiskFull) || !strings.Contains(err.Error(), disk.Dir()) {
					t.Errorf("the full disk is told as %v", err)
				}
				w.verify(stream)
				if restarts := s.StorageRestarts(); restarts != uint64(round) {
					t.Errorf("JetStream was restarted %d times in round %d while there was no space", restarts, round)
				}
				disk.Free(t)
				waiting.Until(t, "space", func() bool { return s.StorageError() == nil })
				w.verify(stream)
				if !w.store(100 + round) {
					t.Errorf("a write is not acknowledged although there is space\n%s", out.Lines("error"))
				}
			}
			w.verify(stream)
			if c.lost.Load() || sidecar.lost.Load() || s.ClientURL() != url {
				t.Error("a connection was lost, or the address has changed")
			}
			if _, err := sidecar.Request("flagside.api.STREAM.INFO.FLAGS_prod", nil, patience); err != nil {
				t.Errorf("a sidecar cannot ask any more: %v", err)
			}
			if n := len(out.Lines("JetStream restarted in place")); n != 2 {
				t.Errorf("%d restarts are logged, want 2", n)
			}
		})
	}
}

// A full disk is found by a write that is tried, and one with space is not said to be full.
func TestProbeStorage(t *testing.T) {
	t.Parallel()
	disk := faultdisk.StartForJetStream(t, smallDisk)
	s := startWith(t, natsserver.Options{Addr: "127.0.0.1:0", StoreDir: disk.Dir(), Logger: zerolog.Nop()})
	s.ProbeStorage()
	if err := s.StorageError(); err != nil {
		t.Errorf("with space: %v", err)
	}
	disk.Fill(t, 0)
	s.ProbeStorage()
	if err := s.StorageError(); !errors.Is(err, flagsync.ErrDiskFull) {
		t.Errorf("without space: %v", err)
	}
	disk.Free(t)
	waiting.Until(t, "space", func() bool { return s.StorageError() == nil })
}

// A client cannot make a server believe that its disk is full, whatever it calls itself.
func TestAClientCannotFeignAFullDisk(t *testing.T) {
	t.Parallel()
	var out logtest.Log
	s := startWith(t, natsserver.Options{Addr: "127.0.0.1:0", Logger: zerolog.New(&out)})
	const feigned = "Filestore [FLAGS_prod] Critical write error: no space left on device"
	c := mustDial(t, s, nats.UserInfo("prod", ""), nats.Name(feigned), nats.CustomInboxPrefix("_SC.prod.x"), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	if err := errors.Join(c.Publish("flags.prod."+strings.ReplaceAll(feigned, " ", "_"), nil), c.Publish("flags.prod.flag.a", nil), c.FlushTimeout(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := dial(t, s, nats.UserInfo(feigned, feigned), nats.Name(feigned)); err == nil {
		t.Error("a client without an environment was let in")
	}
	if len(out.Lines("no space left on device")) == 0 {
		t.Error("the name of the client is in no line, so that nothing was tried")
	}
	if err := s.StorageError(); err != nil || s.StorageRestarts() != 0 {
		t.Errorf("a client has feigned a full disk: %v, %d restarts", err, s.StorageRestarts())
	}
}

// ownClient returns a connection of the server's own publisher, with the streams of prod.
func ownClient(t *testing.T, s *natsserver.Server) *client {
	t.Helper()
	environments := own(t, s)
	if err := s.AllowEnvironment("prod"); err != nil {
		t.Fatal(err)
	}
	if _, err := environments.Create(t.Context(), "prod", writer.Order{Actor: "tester"}); err != nil {
		t.Fatal(err)
	}
	name, password := s.User()
	people := connect(t, flagsync.ConnectOptions{Server: s, Keyring: trusttest.Default().PublisherKeyring(), User: name, Password: password})
	if _, err := writer.OpenPeople(t.Context(), people, 1); err != nil {
		t.Fatal(err)
	}
	return mustDial(t, s, nats.UserInfo(name, password), nats.InProcessServer(s))
}

// While the disk stays full nothing is restarted, and the pauses between restarts grow when it is full again at once.
func TestPausesBetweenRestarts(t *testing.T) {
	t.Parallel()
	var pauses []time.Duration
	pause := time.Duration(0)
	for range 8 {
		pause = natsserver.NextPause(pause, time.Second)
		pauses = append(pauses, pause/time.Second)
	}
	if got := fmt.Sprint(pauses); got != "[1ns 2ns 4ns 8ns 16ns 30ns 30ns 30ns]" {
		t.Errorf("the pauses are %s seconds", got)
	}
	if again := natsserver.NextPause(pause, 2*time.Minute); again != 0 {
		t.Errorf("after a calm time a restart waits for %s", again)
	}
}
