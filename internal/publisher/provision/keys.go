package provision

import (
	"context"
	"fmt"
	"strings"

	"github.com/flagside/flagside/internal/kubernetes"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/keys"
	"github.com/flagside/flagside/sync/changelog"
)

// tokenMember is where the Secret of a token has it.
const tokenMember = "token" // #nosec G101 -- a name

// keys makes the keys, and returns the trust file; nil if there is none.
func (r *run) keys(ctx context.Context) (trust *changelog.Trust) {
	if r.plan.Keys == nil {
		return nil
	}
	err := settle(ctx, func() error {
		s, exists, err := r.own(ctx, r.plan.Keys.Secret)
		switch {
		case err != nil:
			return err
		case exists:
			trust, err = r.keysThere(ctx, s)
		case r.plan.Keys.Existing:
			return r.missing(r.plan.Keys.Secret, "keys, as publisher keys init makes them")
		default:
			trust, err = r.newKeys(ctx)
		}
		return err
	})
	if err != nil {
		r.fail(err)
		return nil
	}
	return trust
}

// missing is the error of an existing Secret that does not exist.
func (r *run) missing(name, what string) error {
	return fmt.Errorf("there is no Secret %s/%s, and the plan calls it existing: create it with %s", r.plan.Namespace, name, what)
}

// keysThere reads the keys, and reports where the root key is.
func (r *run) keysThere(ctx context.Context, s kubernetes.Secret) (*changelog.Trust, error) {
	trust, err := keys.Files(s.Data).Verify()
	if err != nil {
		return nil, fmt.Errorf("the keys in Secret %s cannot be used: %w", s, err)
	}
	next := ""
	if len(s.Data[keys.RootFile]) > 0 {
		next = "pods that mount this Secret can read the root key: " + r.takeOut()
	}
	r.report(r.plan.Namespace, s.Metadata.Name, Kept, "keys of installation "+trust.Installation(), next)
	if r.plan.RootKey == nil {
		return &trust, nil
	}
	root, exists, err := r.own(ctx, r.plan.RootKey.Secret)
	switch {
	case err != nil:
		return nil, err
	case !exists:
		r.report(r.plan.Namespace, r.plan.RootKey.Secret, Away, "the root key is kept elsewhere", "")
		return &trust, nil
	}
	if err := keys.VerifyRoot(string(root.Data[keys.RootFile]), trust); err != nil {
		return nil, fmt.Errorf("the root key in Secret %s does not belong to the keys in %s: %w: put it right, or delete it where the root key is kept elsewhere",
			root, s.Metadata.Name, err)
	}
	r.report(r.plan.Namespace, r.plan.RootKey.Secret, Kept, "root key", r.takeAway())
	return &trust, nil
}

// newKeys makes keys. A root key that is there signs them, because an interrupted run has made it, or an operator on purpose.
func (r *run) newKeys(ctx context.Context) (*changelog.Trust, error) {
	root, next, err := r.rootKey(ctx)
	if err != nil {
		return nil, err
	}
	files, err := keys.Generate(root)
	if err != nil {
		return nil, err
	}
	if r.plan.RootKey == nil {
		files[keys.RootFile] = []byte(root + "\n")
		next = "pods that mount this Secret can read the root key: " + r.takeOut()
	}
	trust, err := files.Verify()
	if err != nil {
		return nil, err
	}
	if err := r.create(ctx, r.plan.Namespace, r.plan.Keys.Secret, kubernetes.TypeOpaque, files); err != nil {
		return nil, err
	}
	r.report(r.plan.Namespace, r.plan.Keys.Secret, Made, "keys of installation "+trust.Installation(), next)
	return &trust, nil
}

// rootKey returns the root key for new keys. If it is to have a Secret of its own, it is stored there before.
func (r *run) rootKey(ctx context.Context) (root, next string, err error) {
	if r.plan.RootKey == nil {
		root, err = keys.GenerateRoot()
		return root, "", err
	}
	s, exists, err := r.own(ctx, r.plan.RootKey.Secret)
	if err != nil {
		return "", "", err
	}
	if exists {
		root = strings.TrimSpace(string(s.Data[keys.RootFile]))
		if _, err := changelog.ParseSecret(root); err != nil {
			return "", "", fmt.Errorf("the root key in Secret %s cannot be used: %s: %w: put it right, or delete it if it was never used", s, keys.RootFile, err)
		}
		if r.reported[s.String()] { // it was made in this run, and the keys were not
			return root, "", nil
		}
		r.report(r.plan.Namespace, r.plan.RootKey.Secret, Kept, "root key", r.takeAway())
		return root, "nothing, unless this installation has had keys before: then publishers need those, so restore the Secret from a copy", nil
	}
	if root, err = keys.GenerateRoot(); err != nil {
		return "", "", err
	}
	data := map[string][]byte{keys.RootFile: []byte(root + "\n")}
	if err := r.create(ctx, r.plan.Namespace, r.plan.RootKey.Secret, kubernetes.TypeOpaque, data); err != nil {
		return "", "", err
	}
	r.report(r.plan.Namespace, r.plan.RootKey.Secret, Made, "root key, which no pod needs", r.takeAway())
	return root, "", nil
}

// takeAway says how the root key leaves the cluster.
func (r *run) takeAway() string {
	name := r.plan.RootKey.Secret
	return r.copyRoot(name) + ", then run kubectl -n " + r.plan.Namespace + " delete secret " + name
}

// takeOut says how the root key leaves the Secret of the keys.
func (r *run) takeOut() string {
	name := r.plan.Keys.Secret
	return r.copyRoot(name) + ", then run kubectl -n " + r.plan.Namespace + " patch secret " + name + ` --type json -p '[{"op":"remove","path":"/data/` + keys.RootFile + `"}]'`
}

func (r *run) copyRoot(name string) string {
	return "copy it to a safe place outside of the cluster (kubectl -n " + r.plan.Namespace + " get secret " + name + " -o 'jsonpath={.data." +
		strings.ReplaceAll(keys.RootFile, ".", `\.`) + "}' | base64 -d > " + keys.RootFile + ")"
}

// adminToken makes an API token that may do everything.
func (r *run) adminToken(ctx context.Context) {
	if r.plan.AdminToken == nil {
		return
	}
	name := r.plan.AdminToken.Secret
	err := settle(ctx, func() error {
		s, exists, err := r.own(ctx, name)
		if err != nil {
			return err
		}
		if exists && len(s.Data[tokenMember]) > 0 {
			r.report(r.plan.Namespace, name, Kept, "API token of an administrator", "")
			return nil
		}
		data := map[string][]byte{tokenMember: []byte(access.NewSecret() + "\n")}
		if exists {
			err = r.amend(ctx, s, data)
		} else {
			err = r.create(ctx, r.plan.Namespace, name, kubernetes.TypeOpaque, data)
		}
		if err != nil {
			return err
		}
		r.report(r.plan.Namespace, name, Made, "API token of an administrator", "make tokens for people with it, or use OpenID Connect, and keep it for emergencies")
		return nil
	})
	if err != nil {
		r.fail(err)
	}
}
