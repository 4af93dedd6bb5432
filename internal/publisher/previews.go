package publisher

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher/control"
	"github.com/flagside/flagside/internal/publisher/preview"
	"github.com/flagside/flagside/sync/changelog"
	wire "github.com/flagside/flagside/sync/preview"
	"github.com/flagside/flagside/sync/status"
)

const (
	// previewKept is how long what sidecars said to a change is said again.
	previewKept = 20 * time.Second
	// maxPreviewsKept is of how many changes it is kept.
	maxPreviewsKept = 32
)

// previews asks the sidecars of an environment what a change would do, one question at a time. The zero value is not ready: use newPreviews.
type previews struct {
	asking chan struct{} // of one: held while a question waits for answers

	mu      sync.Mutex // guards what follows
	id      string     // of the question that waits, empty while none does
	answers chan wire.Answer
	kept    map[[sha256.Size]byte]preview.Impact
}

func newPreviews() *previews {
	return &previews{asking: make(chan struct{}, 1), kept: make(map[[sha256.Size]byte]preview.Impact)}
}

// take takes an answer. Those to other questions, also of other publishers, are dropped, and so are those that nothing waits for.
func (p *previews) take(a wire.Answer, err error) {
	if err != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if a.ID != p.id {
		return
	}
	select {
	case p.answers <- a:
	default:
	}
}

// begin has answers to a question taken from now on.
func (p *previews) begin(id string) <-chan wire.Answer {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.id, p.answers = id, make(chan wire.Answer, 2*wire.MaxAsked)
	return p.answers
}

func (p *previews) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.id, p.answers = "", nil
}

// known returns what was said to a change lately.
func (p *previews) known(of [sha256.Size]byte, now time.Time) (preview.Impact, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	found, ok := p.kept[of]
	return found, ok && now.Sub(found.At) < previewKept
}

// keep remembers what was said to a change, if at least half of those that were asked have counts.
func (p *previews) keep(of [sha256.Size]byte, i preview.Impact) {
	if i.Answered == 0 || 2*i.Answered < len(i.Asked) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.kept) >= maxPreviewsKept {
		clear(p.kept)
	}
	p.kept[of] = i
}

// hearAnswers takes answers of sidecars until ctx ends.
func (e *environment) hearAnswers(ctx context.Context) error {
	stop, err := wire.Collect(e.conn, e.name, e.previews.take)
	if err != nil {
		return err
	}
	defer stop()
	<-ctx.Done()
	return nil
}

// impact asks sidecars what changes would do, and waits so long for their answers. What keeps it from asking is said in the answer.
func (e *environment) impact(ctx context.Context, changes []document.Document, wait time.Duration) (i preview.Impact, fresh bool, err error) {
	view := e.store.View()
	if view == nil {
		return i, false, control.ErrNotReady
	}
	q := wire.Question{Base: view.Position()}
	for _, d := range changes {
		q.Documents = append(q.Documents, wire.Document{Kind: d.Kind, Key: d.Key, Body: d.Body})
	}
	of := identify(&q)
	if known, ok := e.previews.known(of, time.Now()); ok {
		return known, false, nil
	}
	queued, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	select {
	case e.previews.asking <- struct{}{}:
		defer func() { <-e.previews.asking }()
	case <-queued.Done():
		return preview.Impact{Missing: "other previews of the environment wait for answers: try again", At: time.Now()}, false, nil
	}
	if known, ok := e.previews.known(of, time.Now()); ok { // the same was asked meanwhile
		return known, false, nil
	}
	i, err = e.ask(ctx, q, wait)
	if err == nil {
		e.previews.keep(of, i)
	}
	return i, err == nil, err
}

// identify returns what tells changes apart.
func identify(q *wire.Question) (of [sha256.Size]byte) {
	h := sha256.New()
	fmt.Fprintf(h, "%s %d\n", q.Base.Epoch, q.Base.Revision)
	for _, d := range q.Documents {
		fmt.Fprintf(h, "%q %q %q\n", d.Kind, d.Key, d.Body)
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// ask asks a sample of the fleet.
func (e *environment) ask(ctx context.Context, q wire.Question, wait time.Duration) (preview.Impact, error) {
	random := rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())) // #nosec G404 -- who is asked is no secret
	sample := preview.Choose(e.fleet.Fleet(time.Now()), preview.MaxAsked, random)
	out := func(missing string) (preview.Impact, error) {
		return preview.Impact{Sample: sample, Missing: missing, At: time.Now()}, nil
	}
	switch {
	case len(sample.Asked) == 0:
		return out("no sidecar of the environment reports to this publisher")
	case len(q.Documents) > changelog.MaxEntries:
		return out(fmt.Sprintf("a change of more than %d documents cannot be previewed", changelog.MaxEntries))
	}
	for _, one := range sample.Asked {
		q.To = append(q.To, one.Boot)
	}
	q.ID, q.Time = status.NewBoot(), time.Now().UTC()
	data, signature, err := wire.NewQuestion(e.conn.Signer(), e.name, q)
	if errors.Is(err, wire.ErrTooLarge) {
		return out(err.Error())
	}
	if err != nil {
		return preview.Impact{}, err
	}
	answers := e.previews.begin(q.ID)
	defer e.previews.end()
	for _, boot := range q.To {
		if err := wire.Ask(e.conn, e.name, boot, data, signature); err != nil {
			return preview.Impact{}, err
		}
	}
	return preview.Sum(sample, await(ctx, answers, q.To, wait), time.Now()), nil
}

// await returns the answers that come in time, and waits for no more once all have answered.
func await(ctx context.Context, answers <-chan wire.Answer, asked []string, wait time.Duration) (all []wire.Answer) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	missing := slices.Clone(asked)
	for len(missing) > 0 {
		select {
		case a := <-answers:
			if at := slices.Index(missing, a.Boot); at >= 0 {
				missing = slices.Delete(missing, at, at+1)
				all = append(all, a)
			}
		case <-timer.C:
			return all
		case <-ctx.Done():
			return all
		}
	}
	return all
}

// Impact implements admin.Environments. Each question is logged with who asked it, because it tells something about people's evaluations.
func (e *environments) Impact(ctx context.Context, name, actor string, changes []document.Document, wait time.Duration) (preview.Impact, error) {
	running, err := e.find(name)
	if err != nil {
		return preview.Impact{}, err
	}
	i, fresh, err := running.impact(ctx, changes, wait)
	if fresh {
		var keys []string
		for _, d := range changes[:min(len(changes), maxLoggedKeys)] {
			keys = append(keys, string(d.Kind)+" "+d.Key)
		}
		e.metrics.previewed(name, i.Answered > 0)
		running.logger.Info().Str("actor", actor).Strs("documents", keys).Int("asked", len(i.Asked)).Int("answered", i.Answered).Msg("sidecars asked for an impact preview")
	}
	return i, err
}

// maxLoggedKeys is how many documents of a question are logged.
const maxLoggedKeys = 20
