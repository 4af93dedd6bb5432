package provision

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/flagside/flagside/internal/kubernetes"
	"github.com/flagside/flagside/internal/publisher/natsserver"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/changelog"
)

// place is a Secret for the credentials of a sidecar, as it is now.
type place struct {
	namespace string
	secret    kubernetes.Secret
	exists    bool
	nkey      string // public key of the seed in it; empty if it has no seed
}

// credentials are those that all places of a sidecar are to have.
type credentials struct {
	seed []byte // without a line end
	nkey string // its public key
	// replaces says that the seed takes the place of one that is in no Secret any more.
	replaces bool
	// exposures is the text of the environment's key for exposures; nil if it cannot be known which one that is.
	exposures []byte
}

// sidecars stores the credentials of all sidecars, and returns the users that their seeds are of.
func (r *run) sidecars(ctx context.Context, users []natsserver.User, common shared) (after []natsserver.User, errs []error) {
	after = slices.Clone(users)
	for _, s := range r.plan.Sidecars {
		var user natsserver.User
		var stored bool
		var failed []error
		err := settle(ctx, func() (err error) {
			user, stored, failed, err = r.sidecar(ctx, s, after, common)
			return err
		})
		errs = append(errs, failed...)
		if err != nil {
			errs = append(errs, fmt.Errorf("sidecar %s: %w", s.Name, err))
		}
		if !stored {
			continue
		}
		if i := named(after, s.Name); i >= 0 {
			after[i] = user
		} else {
			after = append(after, user)
		}
	}
	return after, errs
}

// named returns the index of a user, -1 if there is none.
func named(users []natsserver.User, name string) int {
	return slices.IndexFunc(users, func(u natsserver.User) bool { return u.Name == name })
}

// sidecar stores the credentials of one sidecar in all its places. stored says that one has them, so that the user may be listed. failed is what
// went wrong with single places, err what concerns all.
func (r *run) sidecar(ctx context.Context, s Sidecar, users []natsserver.User, common shared) (user natsserver.User, stored bool, failed []error, err error) {
	user = natsserver.User{Name: s.Name, Role: natsserver.RoleSidecar, Environments: []string{s.Environment}}
	known := named(users, s.Name)
	if known >= 0 {
		there := users[known]
		if there.Role != user.Role || !slices.Equal(there.Environments, user.Environments) {
			return user, false, nil, fmt.Errorf("there is a NATS user of this name, a %s for %v: take another name", there.Role, there.Environments)
		}
		user = there
	}
	places, unread := r.places(ctx, s)
	c, err := choose(user, users, places)
	switch {
	case err != nil:
		return user, false, unread, err
	case known >= 0 && c.nkey != user.NKey && len(unread) > 0:
		return user, false, unread, errors.New("the seed of its NATS user is in no Secret that can be read, and gets no successor until all can be")
	}
	if c.seed == nil {
		made, seed, err := natsserver.NewUser(user)
		if err != nil {
			return user, false, unread, err
		}
		c = credentials{seed: seed, nkey: made.NKey, replaces: known >= 0}
	}
	defer clear(c.seed)
	user.NKey = c.nkey
	c.exposures, failed = r.exposureKey(ctx, s, places, len(unread) == 0)
	defer clear(c.exposures)
	for _, p := range places {
		switch err := r.place(ctx, s, p, c, common); {
		case errors.Is(err, kubernetes.ErrConflict):
			return user, false, unread, err
		case err != nil:
			failed = append(failed, err)
		default:
			stored = true
		}
	}
	return user, stored, append(unread, failed...), nil
}

// places reads the Secrets of a sidecar. unread is why some could not be.
func (r *run) places(ctx context.Context, s Sidecar) (places []place, unread []error) {
	for _, namespace := range s.Namespaces {
		p := place{namespace: namespace}
		var err error
		if p.secret, p.exists, err = r.get(ctx, namespace, s.Secret); err == nil {
			if seed := bytes.TrimSpace(p.secret.Data[flagsync.CredentialsNKey]); len(seed) > 0 {
				if p.nkey, err = natsserver.NKeyOf(seed); err != nil {
					err = fmt.Errorf("%s in Secret %s cannot be used: %w: put it right, or delete the Secret", flagsync.CredentialsNKey, p.secret, err)
				}
			}
		}
		if err != nil {
			unread = append(unread, err)
			continue
		}
		places = append(places, p)
	}
	return places, unread
}

// choose returns the credentials that the places of a user are to have: those of the user, else the first that are in a place. They are zero if
// there are none.
func choose(user natsserver.User, users []natsserver.User, places []place) (credentials, error) {
	i := slices.IndexFunc(places, func(p place) bool { return p.nkey != "" && p.nkey == user.NKey })
	if i < 0 {
		i = slices.IndexFunc(places, func(p place) bool { return p.nkey != "" })
	}
	if i < 0 {
		return credentials{}, nil
	}
	p := places[i]
	for _, other := range users {
		if other.NKey == p.nkey && other.Name != user.Name {
			return credentials{}, fmt.Errorf("the seed of NATS user %s is in Secret %s: name another Secret", other.Name, p.secret)
		}
	}
	seed := bytes.Clone(bytes.TrimSpace(p.secret.Data[flagsync.CredentialsNKey]))
	return credentials{seed: seed, nkey: p.nkey, replaces: user.NKey != "" && user.NKey != p.nkey}, nil
}

// place stores credentials in a Secret, unless it has other ones.
func (r *run) place(ctx context.Context, s Sidecar, p place, c credentials, common shared) error {
	files := flagsync.CredentialsFiles(c.seed, []byte(common.trust.String()), common.ca, c.exposures)
	what := "credentials of sidecars of environment " + s.Environment
	next := ""
	if c.replaces {
		what += ", with a seed that replaces the one that is in no Secret any more"
		next = "nothing where pods mount this Secret; copies of the former credentials elsewhere are locked out"
	}
	if !p.exists {
		if err := r.create(ctx, p.namespace, s.Secret, kubernetes.TypeOpaque, files); err != nil {
			return err
		}
		r.report(p.namespace, s.Secret, Made, what, next)
		return nil
	}
	if p.nkey != "" && p.nkey != c.nkey {
		return fmt.Errorf("another seed than that of NATS user %s is in Secret %s: if it is not needed, delete it (kubectl -n %s delete secret %s) and run this again",
			s.Name, p.secret, p.namespace, s.Secret)
	}
	data, reason, note := amendments(p, files, common.trust)
	if note != "" {
		next = note
	}
	if len(data) == 0 {
		r.report(p.namespace, s.Secret, Kept, what, next)
		return nil
	}
	if err := r.amend(ctx, p.secret, data); err != nil {
		return err
	}
	r.report(p.namespace, s.Secret, Renewed, what+": "+reason, next)
	return nil
}

// amendments returns which files of a place are to be replaced, and why; and what people have to do about those that are not.
func amendments(p place, files map[string][]byte, trust changelog.Trust) (data map[string][]byte, reason, next string) {
	data = map[string][]byte{}
	if ca, there := files[flagsync.CredentialsCA], p.secret.Data[flagsync.CredentialsCA]; ca != nil && !bytes.Equal(ca, there) {
		data[flagsync.CredentialsCA], reason = ca, "the CA of NATS has changed"
	}
	switch there := p.secret.Data[flagsync.CredentialsTrust]; {
	case len(there) == 0:
		data[flagsync.CredentialsTrust], reason = files[flagsync.CredentialsTrust], "it had no trust file"
	case isOlder(there, trust):
		data[flagsync.CredentialsTrust], reason = files[flagsync.CredentialsTrust], "the trust file is newer"
	case isOther(there, trust):
		next = "its trust file is of another installation, whose flags the sidecars expect: delete the Secret if that is over, and the next run makes it again"
	}
	switch key, there := files[flagsync.CredentialsExposures], p.secret.Data[flagsync.CredentialsExposures]; {
	case key == nil:
	case len(there) == 0:
		data[flagsync.CredentialsExposures], reason = key, "it had no key for exposures"
	case !sameKey(there, key) && next == "":
		next = "its key for exposures is another than that of other sidecars of the environment, or none at all: remove " + flagsync.CredentialsExposures +
			" from the Secret, and the next run puts theirs into it"
	}
	if p.nkey == "" {
		data[flagsync.CredentialsNKey], reason = files[flagsync.CredentialsNKey], "it had no seed"
	}
	return data, reason, next
}

// isOther reports whether a trust file is of another installation, or none at all.
func isOther(text []byte, trust changelog.Trust) bool {
	there, err := changelog.ParseTrust(text)
	return err != nil || there.Installation() != trust.Installation()
}

// isOlder reports whether a trust file of the same installation knows less than trust.
func isOlder(text []byte, trust changelog.Trust) bool {
	there, err := changelog.ParseTrust(text)
	if err != nil || there.Installation() != trust.Installation() {
		return false
	}
	return there.Floor().Version < trust.Floor().Version || there.Floor().Version == trust.Floor().Version && !slices.Equal(there.Roots(), trust.Roots())
}
