package sidecar

import (
	"fmt"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/trusttest"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/status"
)

// A report says of one revision what of it is refused, whatever is served while it is made: every other revision here has a flag that cannot be compiled.
func TestAReportIsOfOneRevision(t *testing.T) {
	t.Parallel()
	s, err := New(Options{
		Environment: "prod", NATS: "nats://127.0.0.1:1", Trust: trusttest.Default().Trust, OFREPAddr: "127.0.0.1:0", ManagementAddr: "127.0.0.1:0",
		Logger: zerolog.Nop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.store.Close()
	applied := make(chan error, 1)
	go func() { applied <- alternate(s, 1000) }()
	for reports := 0; ; reports++ {
		r := s.report(status.Identity{}, time.Now())
		if wanted := int(r.Position.Revision % 2); r.Refused != wanted || len(r.RefusedKeys) != wanted {
			t.Fatalf("report %d: revision %d refuses %d documents: %v", reports, r.Position.Revision, r.Refused, r.RefusedKeys)
		}
		select {
		case err := <-applied:
			if err != nil {
				t.Fatal(err)
			}
			return
		default:
		}
	}
}

// alternate applies so many revisions, of which the odd ones have a flag that cannot be compiled.
func alternate(s *Sidecar, revisions uint64) error {
	head := changelog.Position{Epoch: "00112233445566778899aabbccddeeff"}
	for head.Revision < revisions {
		body := `{"state":"ENABLED","variants":{"on":true},"defaultVariant":"on"}`
		if head.Revision%2 == 0 {
			body = `{"state":"ENABLED","variants":{"on":true},"defaultVariant":"missing"}`
		}
		e := changelog.Entry{
			Epoch: head.Epoch, Revision: head.Revision + 1, Kind: document.KindFlag, Key: "checkout", Put: []byte(body), Index: 1, Count: 1,
		}
		head.Revision, head.Digest = e.Revision, changelog.Sum(fmt.Append(nil, e.Revision))
		if err := s.store.Apply([]changelog.Transaction{{{Entry: e, Digest: head.Digest}}}); err != nil {
			return err
		}
		s.store.Synced()
	}
	return nil
}
