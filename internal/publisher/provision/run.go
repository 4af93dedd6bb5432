package provision

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/flagside/flagside/internal/kubernetes"
)

// Store is where Secrets are. Errors match those of package kubernetes: ErrNotFound, also when a Secret is to be created in a namespace that does
// not exist; ErrConflict when one is to be created that exists, or updated that has changed since it was read.
type Store interface {
	Secret(ctx context.Context, namespace, name string) (kubernetes.Secret, error)
	Create(ctx context.Context, s kubernetes.Secret) (kubernetes.Secret, error)
	Update(ctx context.Context, s kubernetes.Secret) (kubernetes.Secret, error)
}

var _ Store = (*kubernetes.Client)(nil)

// Options are what a run needs beside a plan. All are required.
type Options struct {
	Store Store
	// DryRun finds out what would be done and stores nothing. Store is still asked to: see kubernetes.Options.DryRun.
	DryRun bool
	// Now returns the time, for certificates.
	Now func() time.Time
	// Report is told of each Secret as soon as it is known what becomes of it.
	Report func(Result)
}

// run is one run.
type run struct {
	plan     Plan
	options  Options
	store    Store
	reported map[string]bool // subjects
	errs     []error
}

// Run makes what is missing of a plan. It does as much as it can, and returns an error of all that it could not do.
func Run(ctx context.Context, p Plan, o Options) error {
	r := &run{plan: p, options: o, store: o.Store, reported: map[string]bool{}}
	if o.DryRun {
		r.store = newRehearsal(o.Store)
	}
	r.certificates(ctx)
	trust := r.keys(ctx)
	r.adminToken(ctx)
	r.users(ctx, trust)
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("interrupted: run it again to complete it: %w", context.Cause(ctx))
	}
	return errors.Join(r.errs...)
}

func (r *run) fail(err error) { r.errs = append(r.errs, err) }

const (
	attempts = 6
	// pause is how long the first attempt after a conflict waits; each one after it waits as much longer.
	pause = 50 * time.Millisecond
)

// settle takes a step again while others change the same Secrets between what it reads and what it writes.
func settle(ctx context.Context, step func() error) (err error) {
	for i := range attempts {
		if err = step(); !errors.Is(err, kubernetes.ErrConflict) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(time.Duration(i+1) * pause):
		}
	}
	return err
}

// get returns a Secret, and whether it exists.
func (r *run) get(ctx context.Context, namespace, name string) (s kubernetes.Secret, exists bool, err error) {
	s, err = r.store.Secret(ctx, namespace, name)
	if errors.Is(err, kubernetes.ErrNotFound) {
		return kubernetes.Secret{}, false, nil
	}
	return s, err == nil, err
}

// own is get in the namespace of the publisher.
func (r *run) own(ctx context.Context, name string) (s kubernetes.Secret, exists bool, err error) {
	return r.get(ctx, r.plan.Namespace, name)
}

// create makes a Secret.
func (r *run) create(ctx context.Context, namespace, name, of string, data map[string][]byte) error {
	_, err := r.store.Create(ctx, kubernetes.Secret{
		Metadata: kubernetes.Metadata{
			Namespace: namespace, Name: name,
			Labels: map[string]string{
				"app.kubernetes.io/name": "flagside", "app.kubernetes.io/instance": r.plan.Release, "app.kubernetes.io/managed-by": "publisher-provision",
			},
			Annotations: map[string]string{"helm.sh/resource-policy": "keep"},
		},
		Type: of, Data: data,
	})
	if errors.Is(err, kubernetes.ErrNotFound) {
		return fmt.Errorf("namespace %s does not exist, and gets no Secret %s: create it (kubectl create namespace %s), then run this again",
			namespace, name, namespace)
	}
	return err
}

// amend replaces members of the data of a Secret that was read.
func (r *run) amend(ctx context.Context, s kubernetes.Secret, data map[string][]byte) error {
	s.Data = maps.Clone(s.Data)
	if s.Data == nil {
		s.Data = map[string][]byte{}
	}
	maps.Copy(s.Data, data)
	_, err := r.store.Update(ctx, s)
	return err
}
