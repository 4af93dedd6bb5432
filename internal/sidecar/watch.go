package sidecar

import (
	"context"
	"time"

	"github.com/flagside/flagside/internal/health"
	"github.com/flagside/flagside/internal/lifecycle"
)

// watchInterval is how often conditions are looked for between requests for them.
const watchInterval = time.Second

// watch keeps the log file informed about conditions that begin and end.
func (s *Sidecar) watch(ctx context.Context) error {
	return lifecycle.Every(ctx, watchInterval, func(context.Context) {
		f := s.examine()
		if s.reporter != nil {
			s.reporter.Note(s.summary(f))
		}
		s.reportErrors()
		s.keepComplete()
	})
}

// reportErrors logs which flags err.
func (s *Sidecar) reportErrors() {
	s.refresh.Lock()
	defer s.refresh.Unlock()
	s.erring.report(s.logger, time.Now())
}

// examine compares the conditions with the facts, logs what began and what ended, and returns the facts.
func (s *Sidecar) examine() *facts {
	s.refresh.Lock()
	defer s.refresh.Unlock()
	f := s.facts()
	s.since.note(f)
	if view := s.store.View(); view != nil && view.Rules().Finished() {
		s.erring.note(view.Rules().Flags(), f.now)
		f.erring = s.erring.list()
	}
	active := conditions(f)
	if s.options.Awaited != nil && s.options.Awaited() {
		delete(active, health.EnvironmentUnknown)
		delete(active, health.NotReady)
	}
	s.health.Reconcile("sidecar", active).Log(s.logger)
	return f
}

// facts collects what is known now, but for what only examine knows: which flags err, and since when things are as they are.
func (s *Sidecar) facts() *facts {
	f := &facts{
		now:          time.Now(),
		installation: s.keys.Installation(),
		unusable:     s.knowledge(),
		source:       s.store.Source(),
		disk:         s.store.Problems(),
		leftOut:      s.rpc.documents.LeftOut(),
		keeps:        s.options.DataDir != "",
	}
	if view := s.store.View(); view != nil && view.Rules().Finished() { // readiness does not wait for what is wrong with single flags
		f.problems = view.Rules().Problems()
	}
	if l := s.link.Load(); l != nil {
		f.following, f.log, f.link = l.since, l.follower.Status(), l.conn.LastError()
		f.unguarded = l.conn.WithoutAccounts()
		f.breakers, f.reconnects = l.follower.Breakers(), l.conn.Reconnects()
	}
	f.age = newAge(f.log, s.store)
	return f
}
