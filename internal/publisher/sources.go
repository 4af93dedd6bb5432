package publisher

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/flagside/flagside/internal/health"
	"github.com/flagside/flagside/internal/publisher/following"
)

// prepareSources makes what follows the sources.
func (p *Publisher) prepareSources() error {
	for _, spec := range p.options.Sources {
		if sentence := p.options.ReadOnly[spec.Environment]; sentence != "" {
			return fmt.Errorf("source %s: %s", spec.Place(), sentence)
		}
		f, err := following.New(following.Options{
			Spec: spec, Control: p.environments.Control, Sole: p.server != nil, Kubernetes: p.options.Kubernetes, Logger: p.logger,
		})
		if err != nil {
			return fmt.Errorf("source %s: %w", spec.Place(), err)
		}
		p.sources = append(p.sources, f)
	}
	return nil
}

// followSources follows the sources until ctx ends.
func (p *Publisher) followSources(ctx context.Context) error {
	var wg sync.WaitGroup
	errs := make([]error, len(p.sources))
	for i, f := range p.sources {
		wg.Go(func() {
			if errs[i] = f.Run(ctx); errs[i] != nil {
				p.logger.Error().Err(errs[i]).Str("source", f.Status().Name()).Msg("stopped following a source")
			}
		})
	}
	<-ctx.Done()
	wg.Wait()
	return errors.Join(errs...)
}

// Sources returns how the sources of an environment are followed; that of all environments if it is empty.
func (p *Publisher) Sources(environment string) (all []following.Status) {
	for _, f := range p.sources {
		if status := f.Status(); environment == "" || status.Environment == environment {
			all = append(all, status)
		}
	}
	return all
}

// sourceConditions adds what is wrong with the sources.
func (p *Publisher) sourceConditions(add func(c health.Code, detail string), now time.Time) {
	for _, s := range p.Sources("") {
		detail := fmt.Sprintf("%s, %s: %s", s.Environment, s.Place(), s.Detail)
		switch s.State {
		case following.Broken:
			add(health.SourceBroken, detail)
		case following.Missing:
			add(health.SourceMissing, detail)
		case following.Refused:
			add(health.SourceRefused, detail)
		case following.Behind:
			if now.Sub(s.Since) >= following.Patience {
				add(health.SourceBehind, detail)
			}
		case following.Starting, following.Applied, following.Waiting, following.Delayed, following.Conflict:
		}
		if s.State != following.Broken && s.ConflictDetail != "" {
			add(health.SourceConflict, fmt.Sprintf("%s, %s: %s", s.Environment, s.Place(), s.ConflictDetail))
		}
	}
}
