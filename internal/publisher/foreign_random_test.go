package publisher_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/trusttest"
	"github.com/flagside/flagside/sync/changelog"
)

// TestForeignMessagesOfAllKinds writes at random moments, alone and in floods, into every stream: random bytes, and what publishers signed
// for another place, environment, epoch, installation or version, with hostile headers. No sidecar ever serves a flag that was not put, and
// all recover without a person. FLAGSIDE_SOAK=1 tries hundreds of seeds.
func TestForeignMessagesOfAllKinds(t *testing.T) {
	t.Parallel()
	seeds := 3
	if os.Getenv("FLAGSIDE_SOAK") != "" {
		seeds = 300
	}
	for seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			if seeds <= 3 {
				t.Parallel()
			}
			newAssault(t, uint64(seed)).run()
		})
	}
}

// assault is a site that is attacked at random.
type assault struct {
	t      *testing.T
	random *rand.Rand
	server *natstest.Server
	c      *natstest.Client
	desk   *running
	dir    string // of the keys
	others []natstest.Message

	sidecars []*witness
	put      int // how many flags were put
}

const attacked = natstest.Environment

// streamsOf are the streams that an attacker of the environment can write to.
func streamsOf() []string {
	return []string{"FLAGS_" + attacked, "LEDGER_" + attacked, "SNAP_" + attacked, "CONTROL", "PEOPLE"}
}

func newAssault(t *testing.T, seed uint64) *assault {
	t.Helper()
	a := &assault{t: t, random: rand.New(rand.NewPCG(seed, 1)), server: natstest.Start(t), dir: trusttest.Default().Directory(t)}
	a.c = a.server.Client(t)
	elsewhere := natstest.Start(t)
	stranger := start(t, publisher.Options{NATS: elsewhere.URL(), KeysDir: trusttest.New().Directory(t)})
	stranger.create(attacked)
	stranger.put(attacked, "f", flagBody("off", ""), absent())
	for _, stream := range streamsOf() {
		if stream != "SNAP_"+attacked { // which has no messages yet
			a.others = append(a.others, natstest.Stored(t, elsewhere.Client(t), stream)...)
		}
	}
	stranger.stop()
	a.desk = start(t, publisher.Options{NATS: a.server.URL(), KeysDir: a.dir})
	for _, environment := range []string{attacked, "staging"} {
		a.desk.create(environment)
		a.desk.put(environment, "f", numbered(0), absent())
	}
	if _, _, err := a.desk.client.Put(t.Context(), "staging", flagID("g"), flagBody("on", `,"metadata":{"stolen":true}`), absent(), api.ChangeHeaders{}); err != nil {
		t.Fatal(err)
	}
	a.join()
	return a
}

// witness is a sidecar, and whatever it has served.
type witness struct {
	*reader

	watching sync.WaitGroup
	mu       sync.Mutex
	seen     map[string]bool // documents
}

// join starts a sidecar.
func (a *assault) join() {
	w := &witness{reader: read(a.t, a.server, attacked), seen: make(map[string]bool)}
	w.watching.Go(func() {
		for {
			changed := w.store.Changed()
			w.look()
			select {
			case <-changed:
			case <-a.t.Context().Done():
				return
			}
		}
	})
	a.t.Cleanup(w.watching.Wait)
	a.sidecars = append(a.sidecars, w)
}

// look notes what is served now.
func (w *witness) look() {
	view := w.store.View()
	if view == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for d := range view.Documents() {
		w.seen[fmt.Sprintf("%s %s %s", d.Kind, d.Key, d.Body)] = true
	}
}

func (a *assault) run() {
	for round := range 12 {
		for range 1 + a.random.IntN(6) {
			a.strike(1)
		}
		if a.random.IntN(4) == 0 {
			a.strike(200)
		}
		flood := make(chan struct{})
		var flooding sync.WaitGroup
		if a.random.IntN(3) == 0 {
			random := rand.New(rand.NewPCG(a.random.Uint64(), 2))
			flooding.Go(func() { a.flood(random, flood) })
		}
		a.operate(round)
		close(flood)
		flooding.Wait()
	}
	a.change("at the end")
	a.join()
	want := string(numbered(a.put))
	for i, w := range a.sidecars {
		a.desk.await(fmt.Sprintf("sidecar %d to have the newest flag and be current", i), func() bool {
			s := w.follower.Status()
			return w.body("f") == want && s.DifferentHistory == nil && s.DifferentState == nil && s.Hole == nil && s.Unreadable == nil
		})
		a.verify(i, w)
	}
}

// verify fails the test if a sidecar has served what was not put.
func (a *assault) verify(i int, w *witness) {
	keys, err := changelog.KeysDocument(trusttest.Default().Note)
	if err != nil {
		a.t.Fatal(err)
	}
	honest := map[string]bool{fmt.Sprintf("%s %s %s", keys.Kind, keys.Key, keys.Body): true}
	for n := range a.put + 1 {
		honest["flag f "+string(numbered(n))] = true
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for body := range w.seen {
		if !honest[body] {
			a.t.Errorf("sidecar %d has served what no one put: %s", i, body)
		}
	}
}

// operate does something that people do.
func (a *assault) operate(round int) {
	what := fmt.Sprint("in round ", round)
	switch a.random.IntN(8) {
	case 0:
		a.desk.stop()
		a.desk = start(a.t, publisher.Options{NATS: a.server.URL(), KeysDir: a.dir})
	case 1:
		a.desk.await("the new epoch "+what, func() bool {
			_, err := a.desk.client.RecreateEnvironment(a.t.Context(), attacked, api.RecreateQuery{}, anyway("it is needed"))
			return err == nil
		})
	case 2:
		if len(a.sidecars) < 4 {
			a.join()
		}
	}
	a.change(what)
}

// change puts the flag, again and again while a flood is in the way.
func (a *assault) change(what string) {
	a.put++
	a.desk.await("the change "+what, func() bool {
		_, seen, err := a.desk.client.Document(a.t.Context(), attacked, flagID("f"))
		if err != nil {
			return false
		}
		_, _, err = a.desk.client.Put(a.t.Context(), attacked, flagID("f"), numbered(a.put), seen, api.ChangeHeaders{})
		return err == nil
	})
}

// strike stores messages of some kind in a stream.
func (a *assault) strike(count int) {
	m := a.message(a.random)
	for range count {
		natstest.Store(a.t, a.c, m)
	}
}

// flood writes as fast as the server takes it, until it is told to end or for two seconds, and leaves writers gaps.
func (a *assault) flood(random *rand.Rand, end <-chan struct{}) {
	for deadline := time.Now().Add(2 * time.Second); time.Now().Before(deadline); {
		select {
		case <-end:
			return
		default:
			natstest.Store(a.t, a.c, a.message(random))
		}
	}
}

// message returns one of those that an attacker makes: for a place in a stream, what was made up or taken from elsewhere.
func (a *assault) message(random *rand.Rand) natstest.Message {
	subjects := slices.Concat(places(attacked), []string{
		"flags." + attacked + "." + changelog.Subject(flagID("g")), "snap." + attacked + ".chunk.x", "people.someone",
	})
	var m natstest.Message
	switch random.IntN(4) {
	case 0:
		m.Data = make([]byte, random.IntN(300))
		for i := range m.Data {
			m.Data[i] = byte(random.Uint32())
		}
	case 1:
		m = hostile()[random.IntN(len(hostile()))]
	case 2:
		m = a.others[random.IntN(len(a.others))]
	default:
		streams := append(streamsOf(), "FLAGS_staging", "FLAGS_staging", "LEDGER_staging")
		if all := natstest.Some(a.t, a.c, streams[random.IntN(len(streams))], random.Uint64(), 1); len(all) > 0 {
			m = all[0]
		}
	}
	m = alter(random, m)
	if m.Subject == "" || random.IntN(2) == 0 || !slices.ContainsFunc([]string{"flags", "ledger", "snap"}, func(kind string) bool {
		return strings.HasPrefix(m.Subject, kind+"."+attacked+".")
	}) {
		m.Subject = subjects[random.IntN(len(subjects))]
	}
	return m
}

// alter changes something, or nothing.
func alter(random *rand.Rand, m natstest.Message) natstest.Message {
	switch random.IntN(6) {
	case 0:
		m = m.With("Nats-Sequence", "1")
	case 1:
		m = m.With("Status", []string{"404", "204", "408", "503"}[random.IntN(4)])
	case 2:
		m.Data = []byte(strings.Replace(string(m.Data), `"v":2`, `"v":3`, 1))
	case 3:
		m.Data = []byte(strings.Replace(string(m.Data), "staging", attacked, 1))
	}
	return m
}
