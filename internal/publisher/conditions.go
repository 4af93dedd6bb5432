package publisher

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/flagside/flagside/internal/health"
	"github.com/flagside/flagside/internal/health/logcondition"
	"github.com/flagside/flagside/internal/lifecycle"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/writer"
)

// conditionInterval is how often it is looked whether something is wrong.
const conditionInterval = time.Second

// watchConditions keeps the conditions of the publisher up to date until ctx ends, and logs when one begins or ends.
func (p *Publisher) watchConditions(ctx context.Context, conn *flagsync.Conn) error {
	look := func(context.Context) {
		holding := make(map[health.Code]string)
		for code, details := range p.conditions(conn) {
			holding[code] = strings.Join(details, "\n")
		}
		p.options.Health.Reconcile("publisher", holding).Log(p.logger)
	}
	look(ctx)
	return lifecycle.Every(ctx, conditionInterval, look)
}

// conditions returns what is wrong now, with the details.
func (p *Publisher) conditions(conn *flagsync.Conn) map[health.Code][]string {
	found := make(map[health.Code][]string)
	add := func(c health.Code, detail string) { found[c] = append(found[c], detail) }
	if !conn.Connected() {
		add(health.LogUnreachable, text(conn.LastError()))
	}
	p.keyConditions(add)
	if err := p.checkpoints.failed(); err != nil {
		add(health.CheckpointNotWritten, err.Error())
	}
	if err := p.gate.authorizer.Err(); err != nil {
		add(health.PolicyRefused, err.Error())
	}
	if conn.WithoutAccounts() {
		add(health.NATSWithoutAccounts, "")
	}
	if p.server != nil {
		if err := p.server.UsersError(); err != nil {
			add(health.NATSUsersRefused, err.Error())
		}
	}
	p.diskConditions(add)
	p.streamConditions(add)
	p.sourceConditions(add, time.Now())
	p.webhookConditions(add)
	p.usageConditions(add)
	p.sinkConditions(add)
	for _, e := range p.environments.all() {
		e.fleetConditions(add)
		status := e.follower.Status()
		switch err := e.Refused(); {
		case errors.Is(err, flagsync.ErrStreamLost):
			add(health.StreamLost, err.Error())
		case errors.Is(err, flagsync.ErrStreamMismatch) && !slices.Contains(found[health.StreamMismatch], err.Error()):
			add(health.StreamMismatch, err.Error())
		}
		if status.DifferentHistory != nil {
			add(logcondition.History(status.DifferentHistory), e.name+": "+status.DifferentHistory.Error())
		}
		for _, detail := range e.control.Lives().Failures {
			add(health.LifecycleFailed, e.name+": "+detail)
		}
		if status.Hole != nil {
			add(health.LogHole, e.name+": "+status.Hole.Error())
		}
	}
	return found
}

// fleetConditions adds what is wrong with the sidecars of the environment.
func (e *environment) fleetConditions(add func(c health.Code, detail string)) {
	wrong := e.fleet.Wrong()
	for code, detail := range map[health.Code]string{health.FleetBehind: wrong.Behind, health.FleetDiverged: wrong.Diverged, health.FleetVersionSkew: wrong.Skew} {
		if detail != "" {
			add(code, e.name+": "+detail)
		}
	}
}

// scarceShare is the share of a volume below which it is nearly full.
const scarceShare = 0.1

// diskConditions adds what is wrong with the disk of the embedded server.
func (p *Publisher) diskConditions(add func(c health.Code, detail string)) {
	if p.server == nil {
		return
	}
	if err := p.server.StorageError(); err != nil {
		add(health.DiskFull, err.Error())
		return
	}
	if share, known := p.server.FreeShare(); known && share < scarceShare {
		add(health.DiskNearlyFull, fmt.Sprintf("%s: less than %.0f %% of the volume is free", p.options.DataDir, math.Ceil(max(share*100, 1))))
	}
}

// streamConditions adds what is wrong with streams and journals, whatever is followed.
func (p *Publisher) streamConditions(add func(c health.Code, detail string)) {
	for _, err := range p.streams.wrong() {
		add(streamCondition(err), err.Error())
		if errors.Is(err, writer.ErrDamaged) { // those who have read a journal before do not see that it is damaged
			add(health.LedgerDamaged, err.Error())
		}
	}
	for _, detail := range p.journals.wrong() {
		add(health.LedgerDamaged, detail)
	}
	for _, name := range p.environments.forgotten() {
		add(health.LedgerDamaged, fmt.Sprintf("CONTROL does not list environment %[1]s any more, which is followed here: "+
			"make it known again with \"flagside environment adopt %[1]s\"", name))
	}
	for _, detail := range p.journals.news(time.Now()) {
		add(health.ForeignMessages, detail)
	}
}

// keyConditions adds what is wrong with the keys.
func (p *Publisher) keyConditions(add func(c health.Code, detail string)) {
	if err := p.keys.Retired(); err != nil {
		add(health.SigningKeyRetired, err.Error())
	}
	if file := p.keys.RootFile(); file != "" && !p.options.OwnMachine {
		add(health.RootKeyOnline, file)
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
