package sidecar

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flagside/flagside/internal/sidecar/preview"
	"github.com/flagside/flagside/internal/sidecar/preview/answering"
	counting "github.com/flagside/flagside/internal/sidecar/usage"
	flagsync "github.com/flagside/flagside/sync"
	wire "github.com/flagside/flagside/sync/preview"
)

// newPreview makes what tells publishers what a change would do, and returns what remembers evaluations for it; nil if nothing is remembered.
func (s *Sidecar) newPreview(counts *counting.Counts, metrics prometheus.Registerer) (reservoir *preview.Reservoir, err error) {
	if s.options.NoPreview {
		return nil, nil
	}
	reservoir = preview.NewReservoir(nil, 0)
	s.preview, err = answering.New(answering.Options{
		Environment: s.options.Environment, Boot: s.boot, Keyring: s.keys, View: s.store.View, Ready: s.Ready, Reservoir: reservoir,
		Application: func(a counting.Application) string {
			if a == 0 {
				return s.options.Identity.Application
			}
			if name := counts.ApplicationName(a); name != counting.OtherApplication {
				return name
			}
			return "" // which is no service
		},
		Send: func(a wire.Answer) error {
			l := s.link.Load()
			if l == nil {
				return fmt.Errorf("%w: it is being dialled", flagsync.ErrUnreachable)
			}
			return wire.Reply(l.conn, s.options.Environment, a)
		},
		Metrics: metrics,
	})
	return reservoir, err
}

// hearQuestions has questions of publishers answered until stop is called. Without them everything else goes on.
func (s *Sidecar) hearQuestions(conn *flagsync.Conn) (stop func()) {
	if s.preview == nil {
		return func() {}
	}
	stop, err := wire.Listen(conn, s.options.Environment, s.boot, s.preview.Take)
	if err != nil {
		s.logger.Warn().Err(err).Msg("questions for impact previews cannot be heard")
		return func() {}
	}
	return stop
}
