package following

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"sync"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/retrypolicy"
	"github.com/rs/zerolog"

	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/kubernetes"
	"github.com/flagside/flagside/internal/lifecycle"
)

const (
	// listRetryMin and listRetryMax bound the pause after the API server did not answer.
	listRetryMin = 200 * time.Millisecond
	listRetryMax = 30 * time.Second
	// relist is the pause before objects are listed again after a watch has ended unexpectedly.
	relist = 200 * time.Millisecond
	// settle is how long it is waited for more after an object has changed.
	settle = 50 * time.Millisecond
	// unheard is how long the API server may be silent before that is a condition.
	unheard = 30 * time.Second
	// briefSession is how long objects are watched at least where watches work.
	briefSession = time.Second
	// behindRelist is how long a version may be behind before the objects are listed again.
	behindRelist = 10 * time.Second
)

// apiVersion and kind are those of the objects that are read.
const (
	group      = "core.openfeature.dev"
	apiVersion = "v1beta1"
	kind       = "FeatureFlag"
	plural     = "featureflags"
)

// objects reads a source that is the FeatureFlag objects of a namespace.
type objects struct {
	resource kubernetes.Resource
	options  kubernetes.Options
	logger   zerolog.Logger
	retries  failsafe.Executor[any]
	events   *events
	again    chan struct{} // of one: the objects are to be listed again

	mu      sync.Mutex // guards what follows
	known   map[string]kubernetes.Object
	version string    // the resource version that is known
	certain bool      // it was listed, and nothing was heard since
	listed  bool      // at least once
	err     error     // why nothing is heard now; nil if it is
	since   time.Time // of err
}

func newObjects(namespace string, o kubernetes.Options, logger zerolog.Logger) (*objects, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	policy := retrypolicy.NewBuilder[any]().WithBackoff(listRetryMin, listRetryMax).WithJitterFactor(0.5).WithMaxRetries(-1).Build()
	return &objects{
		resource: kubernetes.Resource{Group: group, Version: apiVersion, Plural: plural, Namespace: namespace},
		options:  o, logger: logger, retries: failsafe.With(policy), events: newEvents(logger), again: make(chan struct{}, 1), err: errors.New("the API server was not asked yet"),
		since: time.Now(),
	}, nil
}

// Run implements reader.
func (o *objects) Run(ctx context.Context, changed func()) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { o.events.run(ctx, o.options) })
	for ctx.Err() == nil {
		// The error is that of the context: everything else is tried again.
		_ = o.retries.WithContext(ctx).Run(func() error { return o.session(ctx, changed) })
		lifecycle.Pause(ctx, relist)
	}
	return nil
}

// session lists the objects and watches them for as long as that goes. The error is one of the list, or of a watch that could not even begin.
func (o *objects) session(ctx context.Context, changed func()) error {
	client, err := kubernetes.New(o.options) // which reads the certificates again
	if err != nil {
		return o.lost(err, changed)
	}
	defer client.Close()
	all, version, err := client.List(ctx, o.resource)
	if err != nil {
		return o.lost(err, changed)
	}
	o.take(all, version)
	changed()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	defer wg.Wait()
	heard, watched := make(chan struct{}, 1), time.Now()
	wg.Go(func() { tellSettled(ctx, heard, changed) })
	wg.Go(func() {
		select {
		case <-o.again:
			cancel()
		case <-ctx.Done():
		}
	})
	for ctx.Err() == nil && err == nil {
		begun := time.Now()
		err = client.Watch(ctx, o.resource, o.at(), func(c kubernetes.Change) error {
			changed, err := o.change(c)
			if changed {
				tell(heard)
			}
			return err
		})
		if time.Since(begun) < relist { // it was ended at once
			lifecycle.Pause(ctx, relist)
		}
	}
	cancel()
	if err != nil && !errors.Is(err, kubernetes.ErrExpired) && time.Since(watched) < briefSession {
		o.logger.Warn().Err(err).Msg("objects cannot be watched, and are listed now and then")
		return err
	}
	return nil // the objects are listed again at once, whatever has ended the watch
}

// tell puts a token into a channel of one.
func tell(to chan struct{}) {
	select {
	case to <- struct{}{}:
	default:
	}
}

// tellSettled calls changed a moment after something was heard, once for what comes together, until ctx ends.
func tellSettled(ctx context.Context, heard <-chan struct{}, changed func()) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-heard:
		}
		lifecycle.Pause(ctx, settle)
		changed()
	}
}

// lost keeps why nothing is heard, and returns it.
func (o *objects) lost(err error, changed func()) error {
	o.mu.Lock()
	if o.err == nil {
		o.since = time.Now()
	}
	o.err = err
	o.mu.Unlock()
	changed()
	return err
}

// take takes over what was listed.
func (o *objects) take(all []kubernetes.Object, version string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.known = make(map[string]kubernetes.Object, len(all))
	for _, object := range all {
		o.known[object.Metadata.Name] = object
	}
	o.version, o.certain, o.listed, o.err = version, true, true, nil
}

// at returns where a watch goes on.
func (o *objects) at() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.version
}

// change takes over what a watch tells. It reports whether an object is another one. The error is that there would be too much.
func (o *objects) change(c kubernetes.Change) (changed bool, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.version = c.Object.Metadata.ResourceVersion
	if c.Type == kubernetes.Bookmark {
		return false, nil
	}
	known := maps.Clone(o.known) // what was read of it goes on with it
	if c.Type == kubernetes.Deleted {
		delete(known, c.Object.Metadata.Name)
	} else {
		known[c.Object.Metadata.Name] = c.Object
	}
	if kubernetes.SizeOf(maps.Values(known)) > kubernetes.MaxObjects {
		return false, kubernetes.ErrTooMuch
	}
	o.known, o.certain = known, false
	return true, nil
}

// Read implements reader. What is known is good for a while after the API server was heard last.
func (o *objects) Read(rules *eval.Ruleset) (*version, error) {
	o.mu.Lock()
	known, at, certain, listed, err, since := o.known, o.version, o.certain, o.listed, o.err, o.since
	o.mu.Unlock()
	if err != nil && (!listed || time.Since(since) > unheard) {
		return nil, err
	}
	if len(known) == 0 {
		return nil, fmt.Errorf("%w: there is no FeatureFlag in the namespace %s", errEmpty, o.resource.Namespace)
	}
	v := versionOf(o.resource.Namespace, known, rules)
	v.label, v.certain = at, certain
	v.order, _ = strconv.ParseUint(at, 10, 64) // 0 if it is none, and nothing is told by it then
	return v, nil
}

// Tell implements reader: it writes Events about the objects.
func (o *objects) Tell(now outcome) {
	if now.State == Behind && time.Since(now.Since) > behindRelist {
		tell(o.again)
	}
	o.mu.Lock()
	known := o.known
	o.mu.Unlock()
	for _, e := range eventsOf(o.resource.Namespace, now) {
		e.About.UID = known[e.About.Name].Metadata.UID
		o.events.write(e)
	}
}
