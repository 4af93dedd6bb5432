package follow_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/flagside/flagside/internal/trusttest"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/writer"
)

// quiet returns a world without faults and a connection to it.
func quiet(t *testing.T) (*world, *flagsync.Conn) {
	t.Helper()
	w := newWorld(t, rand.New(rand.NewPCG(1, 1)))
	c, err := flagsync.Connect(t.Context(), w.connecting())
	if err != nil {
		t.Fatal(err)
	}
	return w, c
}

// TestReconnectDelays refuses connections for two minutes: they are tried every
// 50 to 500 ms for the first 30 seconds, then less often, and at least every 10
// seconds. When connections are taken again, the next outage begins like the
// first.
func TestReconnectDelays(t *testing.T) {
	inVirtualTime(t, func(t *testing.T) {
		t.Helper()
		w, c := quiet(t)
		defer c.Close()
		for range 2 {
			begin := len(w.wire.tried())
			w.wire.setRefuse(true)
			w.wire.cut()
			cut := time.Now()
			time.Sleep(2 * time.Minute)
			w.wire.setRefuse(false)
			verifyDelays(t, cut, w.wire.tried()[begin:])
			time.Sleep(11 * time.Second)
			if !c.Connected() {
				t.Fatal("not connected 11 seconds after the outage")
			}
		}
	})
}

func verifyDelays(t *testing.T, cut time.Time, tried []time.Time) {
	t.Helper()
	longest := time.Duration(0)
	for i := 1; i < len(tried); i++ {
		waited, since := tried[i].Sub(tried[i-1]), tried[i-1].Sub(cut)
		most := 500 * time.Millisecond
		if since > 29*time.Second {
			most = 10 * time.Second
		}
		if waited < 50*time.Millisecond || waited > most {
			t.Errorf("an attempt %s after the last, %s into the outage; want 50ms to %s", waited, since, most)
		}
		longest = max(longest, waited)
	}
	if len(tried) < 60 || longest < time.Second {
		t.Errorf("%d attempts, at most %s apart; want many at first and few later", len(tried), longest)
	}
	if tried[1].Sub(tried[0]) == tried[2].Sub(tried[1]) {
		t.Error("the attempts are not jittered")
	}
}

// TestThreeMissedBeatsForceAReconnect lets a connection die without a word: when
// the third beat is missing and the server does not answer either, the follower
// connects anew, long before the connection itself would notice.
func TestThreeMissedBeatsForceAReconnect(t *testing.T) {
	inVirtualTime(t, func(t *testing.T) {
		t.Helper()
		w, m := followQuietly(t)
		tries := len(w.wire.tried())
		w.wire.blackHole()
		died := time.Now()
		for len(w.wire.tried()) == tries && time.Since(died) < time.Minute {
			time.Sleep(10 * time.Millisecond)
		}
		if took := time.Since(m.follower.Status().LastHeartbeat); took < 3*time.Second || took > 4*time.Second {
			t.Errorf("connected anew %s after the last beat, want after the third that is missing", took)
		}
		w.write()
		begin := time.Now()
		for m.follower.Status().Applied != w.head() && time.Since(begin) < time.Minute {
			time.Sleep(10 * time.Millisecond)
		}
		if took := time.Since(begin); took > time.Second {
			t.Errorf("it took %s to be current again", took)
		}
		m.stop()
	})
}

// TestBlackHolesHeal swallows everything for a while, and with it the connections
// of that while for good, at different moments between two beats: whatever the
// follower was waiting for when the hole ended, it is current again within two
// seconds of that, or of the moment at which it could know, and after more than
// half a minute within the longest pause between attempts.
func TestBlackHolesHeal(t *testing.T) {
	inVirtualTime(t, func(t *testing.T) {
		t.Helper()
		w, m := followQuietly(t)
		const step = 250 * time.Millisecond
		holes := []time.Duration{40 * time.Second, 2 * time.Minute}
		for hole := 2 * step; hole <= 10*time.Second; hole += step {
			holes = append(holes, hole)
		}
		for _, hole := range holes {
			var worst time.Duration
			for phase := range 3 {
				worst = max(worst, suffer(w, m, hole, time.Duration(phase)*330*time.Millisecond))
			}
			t.Logf("%6s: healed after %s", hole, worst.Round(10*time.Millisecond))
			most := max(2*time.Second, 4*time.Second-hole)
			if hole > 30*time.Second {
				most += 10 * time.Second
			}
			if worst > most {
				t.Errorf("healed %s after the end of a hole of %s, want %s at most", worst, hole, most)
			}
		}
		m.stop()
	})
}

// suffer makes a black hole at a moment after a beat, and returns how long after
// its end a barrier has succeeded.
func suffer(w *world, m *model, hole, phase time.Duration) (healed time.Duration) {
	ctx, cancel := context.WithCancel(context.Background())
	beating := make(chan struct{})
	go func() {
		defer close(beating)
		for ; ctx.Err() == nil; time.Sleep(time.Second) {
			w.beat()
		}
	}()
	time.Sleep(5*time.Second + phase)
	w.wire.setHole(true)
	time.Sleep(hole)
	w.wire.setHole(false)
	end := time.Now()
	for !m.follower.Status().LastConfirmed.After(end) && time.Since(end) < time.Minute {
		time.Sleep(10 * time.Millisecond)
	}
	healed = time.Since(end)
	cancel()
	<-beating
	return healed
}

// TestConnectionsThatDieOneAfterTheOther lets each new connection die a few
// seconds after it worked: none of them is waited for longer than the first.
func TestConnectionsThatDieOneAfterTheOther(t *testing.T) {
	inVirtualTime(t, func(t *testing.T) {
		t.Helper()
		w, m := followQuietly(t)
		for round := range 3 {
			tries := len(w.wire.tried())
			w.wire.blackHole()
			died := time.Now()
			for len(w.wire.tried()) == tries && time.Since(died) < time.Minute {
				time.Sleep(10 * time.Millisecond)
			}
			if took := time.Since(died); took > 9*time.Second {
				t.Errorf("round %d: connected anew after %s", round, took)
			}
			for range 3 {
				w.beat()
				time.Sleep(time.Second)
			}
			if age := m.follower.Status().Age; age > 4*time.Second {
				t.Errorf("round %d: what is known is %s old although the connection works", round, age)
			}
		}
		m.stop()
	})
}

// TestMissedBeatsAloneForceNothing takes the beats away and nothing else: the
// follower asks the leader itself, now and then, and keeps its connection.
func TestMissedBeatsAloneForceNothing(t *testing.T) {
	inVirtualTime(t, func(t *testing.T) {
		t.Helper()
		w, m := followQuietly(t)
		tries := len(w.wire.tried())
		begin := time.Now()
		var oldest time.Duration
		for time.Since(begin) < 2*time.Minute {
			time.Sleep(100 * time.Millisecond)
			oldest = max(oldest, m.follower.Status().Age)
		}
		if got := len(w.wire.tried()); got != tries {
			t.Errorf("%d connections, want the one of the begin", got)
		}
		if oldest > 13*time.Second { // own barriers every 8 to 12 seconds
			t.Errorf("what is known became %s old although the leader answers", oldest)
		}
		m.stop()
	})
}

// TestOnlyABarrierProvesLive brings a follower back after an outage: that it is
// connected proves nothing, a beat does not wait for it, a barrier does it at
// once.
func TestOnlyABarrierProvesLive(t *testing.T) {
	inVirtualTime(t, func(t *testing.T) {
		t.Helper()
		w, m := followQuietly(t)
		w.wire.setRefuse(true)
		w.wire.cut()
		time.Sleep(20 * time.Second)
		if age := m.follower.Status().Age; age < 20*time.Second {
			t.Errorf("after an outage of 20 s what is known is %s old", age)
		}
		w.setFaults(worldFaults{silence: 100})
		w.wire.setRefuse(false)
		time.Sleep(2 * time.Second)
		if s := m.follower.Status(); !s.Connected || s.Age < 20*time.Second {
			t.Errorf("connected %t, and what is known is %s old although no server has answered", s.Connected, s.Age)
		}
		w.setFaults(worldFaults{})
		time.Sleep(3 * time.Second) // without a single beat
		if age := m.follower.Status().Age; age > 3*time.Second {
			t.Errorf("what is known is %s old although the leader answers", age)
		}
		m.stop()
	})
}

// followQuietly follows a world without faults and, after a while, without
// beats. What it returns ends with its stop.
func followQuietly(t *testing.T) (*world, *model) {
	t.Helper()
	w, c := quiet(t)
	m := &model{t: t, world: w, conn: c, target: &modelTarget{t: t, world: w}}
	m.start()
	stop := m.stop
	m.stop = func() {
		stop()
		c.Close()
	}
	for range 5 {
		w.beat()
		time.Sleep(time.Second)
	}
	if s := m.follower.Status(); !s.Synced || s.Age > time.Second {
		t.Fatalf("not current with a log at rest: %+v", s)
	}
	return w, m
}

// TestEpochThatBeginsDuringABarrier begins an epoch while the leader's answer to
// the first question of a follower is under way. That answer proves nothing, and
// beats must not keep the follower from asking again.
func TestEpochThatBeginsDuringABarrier(t *testing.T) {
	inVirtualTime(t, func(t *testing.T) {
		t.Helper()
		w, c := quiet(t)
		defer c.Close()
		w.setFaults(worldFaults{slowLeader: time.Second})
		m := &model{t: t, world: w, conn: c, target: &modelTarget{t: t, world: w}}
		m.start()
		time.Sleep(500 * time.Millisecond)
		w.newEpoch()
		time.Sleep(time.Second)
		w.setFaults(worldFaults{})
		for range 30 {
			w.beat()
			time.Sleep(time.Second)
		}
		if s := m.follower.Status(); !s.Synced || s.Applied != w.head() {
			t.Errorf("half a minute later: %+v, want that everything is known to be applied", s)
		}
		m.stop()
	})
}

// TestAClusterThatLacksServersIsUnreachable asks a cluster that cannot place a
// stream, or has no leader: that passes, so it is no refusal.
func TestAClusterThatLacksServersIsUnreachable(t *testing.T) {
	for name, refusal := range map[string]string{
		"no suitable peers": `{"error":{"code":400,"err_code":10005,"description":"no suitable peers for placement"}}`,
		"no leader":         `{"error":{"code":503,"err_code":10008,"description":"JetStream system temporarily unavailable"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			inVirtualTime(t, func(t *testing.T) {
				t.Helper()
				server := newWire(func(r request) { r.session.send(r.reply, "", []byte(refusal)) })
				c, err := flagsync.Connect(t.Context(), flagsync.ConnectOptions{Server: server, Keyring: trusttest.Default().Keyring(), Logger: testLogger})
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				if _, err := writer.OpenEnvironments(t.Context(), c, 3); !errors.Is(err, flagsync.ErrUnreachable) {
					t.Errorf("%v, want %v", err, flagsync.ErrUnreachable)
				}
			})
		})
	}
}
