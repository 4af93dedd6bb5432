package provision

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"strings"
	"time"

	"github.com/flagside/flagside/internal/kubernetes"
)

// certificates makes and renews the certificates, and the CA before.
func (r *run) certificates(ctx context.Context) {
	if r.plan.Authority == nil {
		return
	}
	var a *authority
	err := settle(ctx, func() (err error) {
		a, err = r.authority(ctx, r.plan.Authority.Secret)
		return err
	})
	if err != nil {
		r.fail(fmt.Errorf("%w; certificates wait for that", err))
		return
	}
	for _, c := range r.plan.Certificates {
		if err := settle(ctx, func() error { return r.certificate(ctx, a, c) }); err != nil {
			r.fail(err)
		}
	}
}

// authority returns the CA, which is made if it is not there.
func (r *run) authority(ctx context.Context, name string) (*authority, error) {
	s, exists, err := r.own(ctx, name)
	if err != nil {
		return nil, err
	}
	if !exists {
		a, data, err := newAuthority(r.plan.Release, r.options.Now())
		if err != nil {
			return nil, err
		}
		if err := r.create(ctx, r.plan.Namespace, name, kubernetes.TypeOpaque, data); err != nil {
			return nil, err
		}
		r.report(r.plan.Namespace, name, Made, "CA until "+day(a.certificate.NotAfter), "")
		return a, nil
	}
	a, err := parseAuthority(s.Data)
	if err != nil {
		return nil, fmt.Errorf("the CA in Secret %s cannot be used: %w: put it right; if it was never used, delete it, and the next run makes another", s, err)
	}
	next := ""
	if a.certificate.NotAfter.Sub(r.options.Now()) < 365*24*time.Hour {
		next = "replace the CA before it ends: delete this Secret and those of its certificates, and give all clients the new " + authorityCertificate
	}
	r.report(r.plan.Namespace, name, Kept, "CA until "+day(a.certificate.NotAfter), next)
	return a, nil
}

// certificate makes a certificate, or renews it if it is of the CA.
func (r *run) certificate(ctx context.Context, a *authority, c Certificate) error {
	s, exists, err := r.own(ctx, c.Secret)
	if err != nil {
		return err
	}
	reason := ""
	if exists {
		if reason, err = r.examine(a, c, s); err != nil || reason == "" {
			return err
		}
	}
	data, err := a.issue(c.Hosts, r.options.Now())
	if err != nil {
		return fmt.Errorf("certificate for Secret %s/%s: %w", r.plan.Namespace, c.Secret, err)
	}
	made, err := parseCertificate(data)
	if err != nil {
		return err
	}
	what := "certificate until " + day(made.NotAfter) + " for " + strings.Join(hostsOf(made), ", ")
	if !exists {
		if err := r.create(ctx, r.plan.Namespace, c.Secret, kubernetes.TypeTLS, data); err != nil {
			return err
		}
		r.report(r.plan.Namespace, c.Secret, Made, what, "")
		return nil
	}
	if err := r.amend(ctx, s, data); err != nil {
		return err
	}
	r.report(r.plan.Namespace, c.Secret, Renewed, what+": "+reason, "")
	return nil
}

// examine returns why a certificate has to be renewed. Without a reason it is kept, which is reported.
func (r *run) examine(a *authority, c Certificate, s kubernetes.Secret) (reason string, err error) {
	now := r.options.Now()
	there, err := parseCertificate(s.Data)
	if err != nil {
		return "", fmt.Errorf("the certificate in Secret %s cannot be used: %w: put it right, or delete it, and the next run makes another", s, err)
	}
	if !a.issued(there) {
		r.report(r.plan.Namespace, c.Secret, Kept, "certificate of another CA until "+day(there.NotAfter), r.foreign(there, c, now))
		return "", nil
	}
	if reason = judge(there, c.Hosts, now); reason != "" {
		return reason, nil
	}
	if !bytes.Equal(s.Data[authorityCertificate], a.pem) {
		return "its " + authorityCertificate + " was not that of the CA", nil
	}
	r.report(r.plan.Namespace, c.Secret, Kept, "certificate until "+day(there.NotAfter), "")
	return "", nil
}

// foreign says what to do about a certificate that the CA has not made.
func (r *run) foreign(there *x509.Certificate, c Certificate, now time.Time) string {
	const remedy = "renew it where it was made, or delete the Secret, and the next run makes it with the CA"
	if missing := lacking(there, c.Hosts); len(missing) > 0 {
		return "it is not for " + strings.Join(missing, ", ") + ": " + remedy
	}
	if reason := judge(there, hostsOf(there), now); reason != "" {
		return reason + ": " + remedy
	}
	return ""
}
