package provision

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/flagside/flagside/internal/kubernetes"
	"github.com/flagside/flagside/internal/publisher/natsserver"
	"github.com/flagside/flagside/sync/changelog"
)

// usersMember is where the Secret of the NATS users has them.
const usersMember = "nats-users.json"

// shared is what the credentials of all sidecars have.
type shared struct {
	trust changelog.Trust
	ca    []byte // nil leaves it to their system
}

// users makes the NATS users, and the credentials of sidecars before.
func (r *run) users(ctx context.Context, trust *changelog.Trust) {
	if r.plan.Users == nil {
		return
	}
	common, err := r.shared(ctx, trust)
	if err != nil {
		r.fail(err)
	}
	ready := err == nil
	var failed []error
	err = settle(ctx, func() (err error) {
		failed, err = r.listUsers(ctx, common, ready)
		return err
	})
	r.errs = append(r.errs, failed...)
	if err != nil {
		r.fail(err)
	}
}

// shared collects what the credentials of sidecars need.
func (r *run) shared(ctx context.Context, trust *changelog.Trust) (s shared, err error) {
	if len(r.plan.Sidecars) == 0 {
		return s, nil
	}
	if trust == nil {
		return s, errors.New("the credentials of sidecars wait for the keys")
	}
	s.trust = *trust
	if r.plan.NATSAuthority == nil {
		return s, nil
	}
	secret, exists, err := r.own(ctx, r.plan.NATSAuthority.Secret)
	if err == nil && (!exists || len(secret.Data[authorityCertificate]) == 0) {
		err = fmt.Errorf("there is no %s in Secret %s/%s: add it, or name no natsAuthority where the certificate of NATS is of a CA that every system trusts",
			authorityCertificate, r.plan.Namespace, r.plan.NATSAuthority.Secret)
	}
	if err != nil {
		return s, fmt.Errorf("%w; the credentials of sidecars wait for that", err)
	}
	s.ca = secret.Data[authorityCertificate]
	return s, nil
}

// listUsers does the work on the users once. failed is what went wrong with single sidecars.
func (r *run) listUsers(ctx context.Context, common shared, ready bool) (failed []error, err error) {
	name := r.plan.Users.Secret
	s, exists, err := r.own(ctx, name)
	if err != nil {
		return nil, err
	}
	if !exists && r.plan.Users.Existing {
		return nil, r.missing(name, usersMember+", as flagside credentials add writes it")
	}
	var before []natsserver.User
	if text := s.Data[usersMember]; len(text) > 0 {
		if before, err = natsserver.ParseUsers(text); err != nil {
			return nil, fmt.Errorf("%s in Secret %s cannot be used: %w: put it right", usersMember, s, err)
		}
	} else if r.plan.Users.Existing {
		return nil, fmt.Errorf("there is no %s in Secret %s", usersMember, s)
	}
	after := slices.Clone(before)
	if ready {
		after, failed = r.sidecars(ctx, before, common)
	}
	return failed, r.storeUsers(ctx, s, exists, before, after)
}

// storeUsers writes the users that are new, and reports those that no sidecar of the plan is.
func (r *run) storeUsers(ctx context.Context, s kubernetes.Secret, exists bool, before, after []natsserver.User) error {
	name := r.plan.Users.Secret
	text, err := natsserver.FormatUsers(after)
	if err != nil {
		return err
	}
	data := map[string][]byte{usersMember: text}
	switch changes := changed(before, after); {
	case !exists:
		if err := r.create(ctx, r.plan.Namespace, name, kubernetes.TypeOpaque, data); err != nil {
			return err
		}
		r.report(r.plan.Namespace, name, Made, count(after), "")
	case len(changes) > 0 || len(s.Data[usersMember]) == 0:
		if err := r.amend(ctx, s, data); err != nil {
			return err
		}
		r.report(r.plan.Namespace, name, Renewed, count(after)+": "+strings.Join(changes, ", "), "")
	default:
		r.report(r.plan.Namespace, name, Kept, count(after), "")
	}
	if !r.plan.Users.Existing {
		r.reportOthers(after)
	}
	return nil
}

// reportOthers tells of users for sidecars that the plan does not name. They stay: they may be in use.
func (r *run) reportOthers(users []natsserver.User) {
	for _, u := range users {
		if u.Role != natsserver.RoleSidecar || slices.ContainsFunc(r.plan.Sidecars, func(s Sidecar) bool { return s.Name == u.Name }) {
			continue
		}
		r.tell(Result{
			Subject: "NATS user " + u.Name + " in " + r.plan.Namespace + "/" + r.plan.Users.Secret, Outcome: NotAskedFor, What: "for environment " + u.Environments[0],
			Next: "if it is not in use, remove it by hand, as docs/security.md says, and delete the Secrets with its credentials",
		})
	}
}

// changed returns what is new among users.
func changed(before, after []natsserver.User) (changes []string) {
	for _, u := range after {
		i := slices.IndexFunc(before, func(other natsserver.User) bool { return other.Name == u.Name })
		switch {
		case i < 0:
			changes = append(changes, "user "+u.Name+" added")
		case before[i].NKey != u.NKey:
			changes = append(changes, "public key of user "+u.Name+" replaced")
		}
	}
	return changes
}

func count(users []natsserver.User) string {
	if len(users) == 1 {
		return "1 NATS user"
	}
	return fmt.Sprintf("%d NATS users", len(users))
}
