package provision

import (
	"context"

	"github.com/flagside/flagside/internal/kubernetes"
)

// rehearsal is a store that remembers what would be written. It gives it to the store below, which writes nothing, only to be told what is wrong
// with it.
type rehearsal struct {
	below   Store
	written map[string]kubernetes.Secret
	made    map[string]bool // which the store below does not have
}

func newRehearsal(below Store) *rehearsal {
	return &rehearsal{below: below, written: map[string]kubernetes.Secret{}, made: map[string]bool{}}
}

func (r *rehearsal) Secret(ctx context.Context, namespace, name string) (kubernetes.Secret, error) {
	if s, ok := r.written[namespace+"/"+name]; ok {
		return s, nil
	}
	return r.below.Secret(ctx, namespace, name)
}

func (r *rehearsal) Create(ctx context.Context, s kubernetes.Secret) (kubernetes.Secret, error) {
	if _, err := r.below.Create(ctx, s); err != nil {
		return kubernetes.Secret{}, err
	}
	r.written[s.String()], r.made[s.String()] = s, true
	return s, nil
}

func (r *rehearsal) Update(ctx context.Context, s kubernetes.Secret) (kubernetes.Secret, error) {
	if !r.made[s.String()] {
		if _, err := r.below.Update(ctx, s); err != nil {
			return kubernetes.Secret{}, err
		}
	}
	r.written[s.String()] = s
	return s, nil
}
