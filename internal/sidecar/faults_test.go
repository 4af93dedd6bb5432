package sidecar_test

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flagside/flagside/internal/faultnet"
	"github.com/flagside/flagside/internal/waiting"
)

// outcome is what is expected of a sidecar while something is broken.
type outcome struct {
	serving   string
	condition string // that tells what is broken; "" is none
	value     bool   // flags that demand nothing are answered
	// The reasons, or error codes, of flags that demand something.
	bounded, fresh, strict string
}

// The outcomes that many faults have.
var (
	unharmed = outcome{serving: "live", value: true, bounded: "STATIC", fresh: "STATIC", strict: "STATIC"}
	memory   = outcome{serving: "memory", value: true, bounded: "STALE", fresh: "STALE", strict: "GENERAL"}
	disk     = outcome{serving: "disk", value: true, bounded: "STALE", fresh: "STALE", strict: "GENERAL"}
	late     = outcome{serving: "live", value: true, bounded: "STATIC", fresh: "STALE", strict: "GENERAL"}
	empty    = outcome{serving: "empty", bounded: "PROVIDER_NOT_READY", fresh: "PROVIDER_NOT_READY", strict: "PROVIDER_NOT_READY"}
)

// with returns the outcome with a condition.
func (o outcome) with(condition string) outcome {
	o.condition = condition
	return o
}

// fault is something that breaks and is mended.
type fault struct {
	name       string
	prepare    func(*place) // before everything; nil is nothing
	begin, end func(*place)
	// What is expected of a sidecar that runs when the fault begins, of one that restarts then, and of one that never ran before. One
	// without a serving state is not tried.
	warm, restarted, cold outcome
	recovery              time.Duration // from the end of the fault until everything is confirmed again
	quick                 []string      // what of it is always tried; nil is warm and restarted
}

func (f fault) isQuick(name string) bool {
	if f.quick == nil {
		return name != "cold"
	}
	return slices.Contains(f.quick, name)
}

func nothing(*place) {}

// faults are all that are tried here. Those that need processes are tried with processes.
func faults() []fault {
	return []fault{
		{
			name: "publisher down", begin: func(p *place) { p.stopPublisher() }, end: (*place).renewPublisher,
			warm: unharmed.with("publisher-silent"), restarted: unharmed.with("publisher-silent"), cold: unharmed.with("publisher-silent"),
			recovery: 2 * time.Second,
		},
		{
			name: "NATS down", begin: (*place).stopServer, end: (*place).startServer,
			warm: memory.with("log-unreachable"), restarted: disk.with("serving-from-disk"), cold: empty.with("not-ready"),
			recovery: 2 * time.Second,
		},
		{
			name: "NATS black-holed", begin: func(p *place) { p.blackHole(true) }, end: func(p *place) { p.blackHole(false) },
			warm: memory.with("serving-from-memory"), restarted: disk.with("serving-from-disk"), cold: empty.with("not-ready"),
			recovery: 4 * time.Second,
		},
		{
			name: "feed lossy", begin: (*place).changeUnheard, end: func(p *place) { p.loseFeed(false) },
			warm: unharmed, restarted: unharmed, cold: unharmed,
			recovery: 2 * time.Second,
		},
		{
			name: "stream gone and recreated", begin: (*place).loseStream, end: (*place).recreate,
			warm: memory.with("stream-lost"), restarted: disk.with("stream-lost"), cold: empty.with("environment-unknown"),
			recovery: 12 * time.Second,
		},
		{
			name: "disk corrupt", begin: (*place).corruptDisk, end: nothing,
			warm: unharmed, restarted: unharmed.with("disk-quarantined"), cold: unharmed.with("disk-quarantined"),
		},
		{
			name: "disk not writable", begin: (*place).loseDisk, end: (*place).findDisk,
			warm: unharmed.with("disk-unwritable"), restarted: unharmed.with("disk-unwritable"), cold: unharmed.with("disk-unwritable"),
			recovery: 15 * time.Second,
			quick:    []string{},
		},
		{
			name: "disk full", prepare: (*place).smallDisk, begin: (*place).fillDisk, end: (*place).freeDisk,
			warm: unharmed.with("disk-unwritable"), restarted: unharmed.with("disk-unwritable"), cold: unharmed.with("disk-unwritable"),
			recovery: 15 * time.Second,
			quick:    []string{"warm"},
		},
		{
			name: "clock of the publisher jumps", begin: (*place).changeAtAnyTime, end: func(p *place) { p.publisher.clock = 0 },
			warm: unharmed, restarted: unharmed, cold: unharmed,
			recovery: 2 * time.Second,
		},
		{
			name: "everything comes late", begin: (*place).slow, end: func(p *place) { p.network.Set(faultnet.Faults{}) },
			warm: late, restarted: late, cold: late,
			recovery: 4 * time.Second,
			quick:    []string{"warm"},
		},
	}
}

// changeUnheard loses the feed and then makes a change: beats and questions to the leader still tell of it.
func (p *place) changeUnheard() {
	p.loseFeed(true)
	p.publisher.put(demanding(0))
	p.publisher.put(demanding(1))
}

// changeAtAnyTime makes changes by a clock that is centuries ahead, and by one that is behind.
func (p *place) changeAtAnyTime() {
	const year = 365 * 24 * time.Hour
	for _, ahead := range []time.Duration{200 * year, -50 * year} {
		p.publisher.clock = ahead
		p.publisher.put(demanding(0))
		p.publisher.put(demanding(1))
	}
}

// slow makes everything come later than answers may wait.
func (p *place) slow() {
	p.network.Set(faultnet.Faults{ToClient: faultnet.Rule{Delay: 2 * shortDeadline}})
}

// One thing is broken: what is answered meanwhile is what the table says, no request waits for long, and everything comes back by itself.
func TestFaults(t *testing.T) {
	t.Parallel()
	for _, f := range faults() {
		for name, begin := range map[string]struct {
			want  outcome
			until func(*place, fault)
		}{
			"warm":      {f.warm, warm},
			"restarted": {f.restarted, restarted},
			"cold":      {f.cold, cold},
		} {
			if begin.want.serving == "" {
				continue
			}
			t.Run(f.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				if !f.isQuick(name) {
					soakOnly(t)
				}
				p := newPlace(t)
				if f.prepare != nil {
					f.prepare(p)
				}
				begin.until(p, f)
				p.expect(begin.want)
				f.end(p)
				p.recovers(f.recovery)
			})
		}
	}
}

// Of two things that are broken at once each has its effect, and both are recovered from.
func TestPairsOfFaults(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name                string
		break1, break2, end func(*place)
		want                outcome
		recovery            time.Duration
	}{
		{
			"publisher down and disk corrupt", (*place).corruptDisk, func(p *place) { p.stopPublisher() }, (*place).renewPublisher,
			unharmed.with("publisher-silent"), 2 * time.Second,
		},
		{
			"NATS down and disk corrupt", (*place).corruptDisk, (*place).stopServer, (*place).startServer,
			empty.with("disk-quarantined"), 2 * time.Second,
		},
		{
			"black hole and restart", nothing, func(p *place) { p.blackHole(true) }, func(p *place) { p.blackHole(false) },
			disk.with("serving-from-disk"), 4 * time.Second,
		},
		{
			"feed lossy and publisher down", func(p *place) { p.loseFeed(true) }, func(p *place) { p.stopPublisher() },
			func(p *place) { p.loseFeed(false); p.renewPublisher() },
			unharmed.with("publisher-silent"), 2 * time.Second,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if c.name == "feed lossy and publisher down" {
				soakOnly(t)
			}
			p := newPlace(t)
			restarted(p, fault{begin: func(p *place) { c.break1(p); c.break2(p) }})
			p.expect(c.want)
			c.end(p)
			p.recovers(c.recovery)
		})
	}
}

func soakOnly(t *testing.T) {
	t.Helper()
	if os.Getenv("FLAGSIDE_SOAK") == "" {
		t.Skip("takes long; FLAGSIDE_SOAK=1 runs it")
	}
}

// warm breaks things while the sidecar is live.
func warm(p *place, f fault) {
	p.startLive()
	f.begin(p)
}

// restarted breaks things while the sidecar, which was live, is not running.
func restarted(p *place, f fault) {
	p.startLive()
	p.sidecar.stop()
	p.sidecar = nil
	f.begin(p)
	p.start()
}

// cold breaks things before the sidecar runs for the first time.
func cold(p *place, f fault) {
	f.begin(p)
	p.start()
}

// answerLimit is how long an answer may take, on a machine that is busy with other tests.
const answerLimit = shortDeadline + time.Second

// expect waits until the sidecar says what is broken, and looks at answers.
func (p *place) expect(want outcome) {
	p.t.Helper()
	p.awaitServing(want.serving)
	if want.condition != "" {
		p.awaitCondition(want.condition)
	}
	for key, reason := range map[string]string{bounded: want.bounded, fresh: want.fresh, strict: want.strict} {
		waiting.Until(p.t, key+" answered with "+reason, func() bool { return p.reason(key) == reason })
	}
	for range 5 {
		for _, key := range []string{cached, bounded, fresh, strict} {
			began := time.Now()
			_, answer := p.sidecar.evaluate(key)
			if took := time.Since(began); took > answerLimit {
				p.t.Errorf("%s took %s", key, took)
			}
			if key == cached && want.value && (answer["value"] != 1.0 || answer["reason"] != "STATIC") {
				p.t.Errorf("%s: %v", key, answer)
			}
		}
	}
	if got := p.serving(); got != want.serving {
		p.t.Errorf("the serving state became %s, want %s", got, want.serving)
	}
}

// recovers waits until nothing is wrong any more and a change arrives.
func (p *place) recovers(within time.Duration) {
	p.t.Helper()
	began := time.Now()
	waiting.Until(p.t, "recovery", func() bool {
		return p.serving() == "live" && p.reason(bounded) == "STATIC" && p.reason(strict) == "STATIC" && len(p.lasting()) == 0
	})
	if took := time.Since(began); took > within+time.Second {
		p.t.Errorf("recovery took %s, want at most %s", took, within)
	} else {
		p.t.Logf("recovery took %s", took.Round(time.Millisecond))
	}
	p.publisher.put(demanding(2))
	if _, answer := p.sidecar.evaluate(strict); answer["value"] != 2.0 {
		p.t.Errorf("after a change: %v", answer)
	}
	p.sidecar.want(cached, 2.0) // the barrier was for all
}

// lasting returns the conditions but for that of damaged files, which stands until the process ends.
func (p *place) lasting() []string {
	p.t.Helper()
	return slices.DeleteFunc(p.sidecar.conditions(), func(code string) bool { return strings.HasPrefix(code, "disk-quarantined") })
}
