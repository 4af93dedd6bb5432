package sidecar

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	counting "github.com/flagside/flagside/internal/sidecar/usage"
	"github.com/flagside/flagside/internal/sidecar/usage/events"
	"github.com/flagside/flagside/internal/sidecar/usage/sending"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/status"
	"github.com/flagside/flagside/sync/usage"
)

// usageDir is the directory in the data directory with reports of usage that wait to be sent, in one directory for each environment: sidecars of several
// may share the data directory.
const usageDir = "usage"

// newSender returns what reports the counts to publishers.
func (s *Sidecar) newSender(counts *counting.Counts, metrics prometheus.Registerer) (*sending.Sender, error) {
	fill := func(r *usage.Report) { s.fillUsage(r, counts.Telling(time.Now())) }
	o := sending.Options{
		Counts: counts, Events: s.events, Boot: s.boot, Fill: fill, Epoch: s.usageEpoch, Send: s.sendUsage, Interval: s.options.UsageInterval, Metrics: metrics, Logger: s.logger,
	}
	if s.options.DataDir != "" {
		o.Dir = filepath.Join(s.options.DataDir, usageDir, s.options.Environment)
	}
	return sending.New(o)
}

// newEvents returns what keeps exposures and outcomes until they are reported.
func (s *Sidecar) newEvents(counts *counting.Counts, metrics prometheus.Registerer) (*events.Recorder, error) {
	share := s.options.ExposureSample
	if share == 0 {
		share = DefaultExposureSample
	}
	return events.New(events.Options{
		Environment: s.options.Environment, Share: share, Rate: s.options.EventRate, Applications: counts.ApplicationName, KeyFile: s.options.ExposureKeyFile, Key: s.options.ExposureKey,
		Metrics: metrics, Logger: s.logger,
	})
}

// fillUsage adds to a report who the sidecar is, and how many clients evaluate by themselves and do not tell how often: all
// but as many as do.
func (s *Sidecar) fillUsage(r *usage.Report, telling int) {
	who := s.options.Identity
	r.Pod, r.Namespace = status.Cut(who.Pod, usage.MaxName), status.Cut(who.Namespace, usage.MaxLabel)
	r.Application, r.Release = status.Cut(who.Application, usage.MaxLabel), status.Cut(who.ApplicationVersion, usage.MaxLabel)
	for _, face := range s.rpc.faces {
		if n := face.server.Streams() - telling; face.name == faceSync && n > 0 {
			r.Unknown = map[string]int{face.name: n}
		}
	}
}

// usageEpoch returns the epoch that revisions of flags are of.
func (s *Sidecar) usageEpoch() string {
	if view := s.store.View(); view != nil {
		return string(view.Position().Epoch)
	}
	return ""
}

// sendUsage brings a report to the publishers.
func (s *Sidecar) sendUsage(ctx context.Context, boot string, n uint64, data []byte) error {
	l := s.link.Load()
	if l == nil {
		return fmt.Errorf("%w: it is being dialled", flagsync.ErrUnreachable)
	}
	return usage.Send(ctx, l.conn, s.options.Environment, boot, n, data)
}
