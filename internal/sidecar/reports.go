package sidecar

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/flagside/flagside/internal/sidecar/reporting"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/status"
)

// newReporter returns what tells publishers about the sidecar.
func (s *Sidecar) newReporter() *reporting.Reporter {
	began := time.Now()
	who := s.options.Identity
	if who.Host == "" {
		who.Host, _ = os.Hostname() // without it the report has none
	}
	who.Program = s.options.Version
	return reporting.New(reporting.Options{
		Boot:    s.boot,
		Changed: s.store.Changed,
		Served:  s.served,
		Share:   s.ackShare,
		State:   func() status.Report { return s.report(who, began) },
		Send: func(r status.Report) error {
			l := s.link.Load()
			if l == nil {
				return fmt.Errorf("%w: it is being dialled", flagsync.ErrUnreachable)
			}
			return status.Send(l.conn, s.options.Environment, r)
		},
	})
}

// served returns what evaluations are answered from.
func (s *Sidecar) served() (served reporting.Served) {
	if view := s.store.View(); view != nil {
		served = reporting.Served{Position: view.Position(), State: view.StateDigest(), Refused: len(view.Rules().Problems()) > 0}
	}
	return served
}

// ackShare returns which share of the fleet publishers want to acknowledge revisions.
func (s *Sidecar) ackShare() uint32 {
	l := s.link.Load()
	if l == nil {
		return 0
	}
	return l.follower.Status().AckShare
}

// report returns how things are, with the conditions of the last look: reporting begins and ends none. What is served, and what of it is refused,
// is of one view, which is looked at first: what else is said may be newer.
func (s *Sidecar) report(who status.Identity, began time.Time) status.Report {
	view := s.store.View()
	f := s.facts()
	r := status.Report{Identity: who, Serving: string(f.serving()), UpMs: time.Since(began).Milliseconds(), Clients: s.clients()}
	if f.age.known {
		r.AgeMs = new(max(f.age.value.Milliseconds(), 0))
	}
	for _, c := range s.health.Active() {
		r.Conditions = append(r.Conditions, string(c.Code))
	}
	if view != nil {
		problems := view.Rules().Problems()
		r.Position, r.State, r.Flags, r.Refused = view.Position(), view.StateDigest(), view.Rules().Len(), len(problems)
		for _, p := range problems[:min(len(problems), status.MaxFlags)] {
			r.RefusedKeys = append(r.RefusedKeys, p.Key)
		}
	}
	return r
}

// clients returns how many clients are connected to each port of applications that is open.
func (s *Sidecar) clients() map[string]int {
	clients := map[string]int{"ofrep": s.ofrep.Connections()}
	for _, face := range s.rpc.faces {
		if face.listener != nil {
			clients[face.name] = face.server.Streams()
		}
	}
	return clients
}

// summary returns what of the facts is reported at once when it changes.
func (s *Sidecar) summary(f *facts) string {
	parts := []string{fmt.Sprint(f.serving(), len(f.problems))}
	for _, c := range s.health.Active() {
		parts = append(parts, string(c.Code))
	}
	return strings.Join(parts, " ")
}
