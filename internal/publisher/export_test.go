package publisher

import (
	"context"
	"os"
	"path/filepath"
	"time"
)

// CheckStreams does now what is done once a minute.
func (p *Publisher) CheckStreams(ctx context.Context) { p.streams.check(ctx) }

// ForeignNews returns what the condition foreign-messages says at a time.
func (p *Publisher) ForeignNews(now time.Time) []string { return p.journals.news(now) }

// ControlHead returns the newest record of CONTROL that is known.
func (p *Publisher) ControlHead() uint64 {
	list, err := p.environments.opened()
	if err != nil {
		return 0
	}
	return list.Ledger().Head().Sequence
}

// CompleteNamed writes a file that has a name until it is complete, as where the system knows none without.
func CompleteNamed(path string) error {
	file, err := os.CreateTemp(filepath.Dir(path), ".*")
	if err != nil {
		return err
	}
	return (&newFile{file, path, false}).complete()
}

// ArchivedHead returns the newest record of the ledger of an archived environment that is known.
func (p *Publisher) ArchivedHead(name string) uint64 {
	ledger := p.environments.archived.keep(name, nil)
	if ledger == nil {
		return 0
	}
	return ledger.Head().Sequence
}
