package provision

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"unicode"

	flagsync "github.com/flagside/flagside/sync"
)

const (
	maxName  = 253 // of objects, hosts and NATS users
	maxLabel = 63  // of namespaces and the values of labels
)

// objectName is the form that Kubernetes gives to the names of objects, and namespaceName to those of namespaces.
func objectName() *regexp.Regexp {
	return regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`)
}

func namespaceName() *regexp.Regexp { return regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`) }

// validation collects what is wrong with a plan, and where.
type validation struct {
	errs  []error
	taken map[string]string // place by namespace/name of the Secret
}

func (v *validation) wrong(place, format string, values ...any) {
	v.errs = append(v.errs, fmt.Errorf("%s: %w", place, fmt.Errorf(format, values...)))
}

// writes notes a Secret that may be written, which no other place may name.
func (v *validation) writes(place, namespace, name string) {
	v.names(place, name)
	at := namespace + "/" + name
	if other, ok := v.taken[at]; ok {
		v.wrong(place, "%s names the Secret %q, too", other, at)
	}
	v.taken[at] = place
}

func (v *validation) names(place, name string) {
	if len(name) > maxName || !objectName().MatchString(name) {
		v.wrong(place, "%q is no name of a Secret", name)
	}
}

func (v *validation) namespace(place, name string) {
	if len(name) > maxLabel || !namespaceName().MatchString(name) {
		v.wrong(place, "%q is no name of a namespace", name)
	}
}

func (p Plan) validate() error {
	v := &validation{taken: map[string]string{}}
	if !regexp.MustCompile(`^[A-Za-z0-9]([-._A-Za-z0-9]*[A-Za-z0-9])?$`).MatchString(p.Release) || len(p.Release) > maxLabel {
		v.wrong("/release", "%q is no name of a release", p.Release)
	}
	v.namespace("/namespace", p.Namespace)
	p.validateCertificates(v)
	if p.Keys != nil {
		v.writes("/keys/secret", p.Namespace, p.Keys.Secret)
	}
	if p.RootKey != nil {
		v.writes("/rootKey/secret", p.Namespace, p.RootKey.Secret)
		if p.Keys == nil || p.Keys.Existing {
			v.wrong("/rootKey", "a root key is made together with /keys only, and existing ones have one")
		}
	}
	if p.AdminToken != nil {
		v.writes("/adminToken/secret", p.Namespace, p.AdminToken.Secret)
	}
	if p.Users != nil {
		v.writes("/users/secret", p.Namespace, p.Users.Secret)
	}
	if p.NATSAuthority != nil {
		v.names("/natsAuthority/secret", p.NATSAuthority.Secret)
	}
	p.validateSidecars(v)
	return errors.Join(v.errs...)
}

func (p Plan) validateCertificates(v *validation) {
	if p.Authority != nil {
		v.writes("/authority/secret", p.Namespace, p.Authority.Secret)
	}
	if p.Authority == nil && len(p.Certificates) > 0 {
		v.wrong("/certificates", "certificates need /authority, which signs them")
	}
	for i, c := range p.Certificates {
		place := fmt.Sprintf("/certificates/%d", i)
		v.writes(place+"/secret", p.Namespace, c.Secret)
		if len(c.Hosts) == 0 {
			v.wrong(place+"/hosts", "a certificate needs the name or address of its server")
		}
		for j, host := range c.Hosts {
			_, err := netip.ParseAddr(host)
			name := strings.TrimPrefix(strings.ToLower(host), "*.")
			if err != nil && (len(host) > maxName || !objectName().MatchString(name)) {
				v.wrong(fmt.Sprintf("%s/hosts/%d", place, j), "%q is neither a host name nor an address", host)
			}
		}
	}
}

func (p Plan) validateSidecars(v *validation) {
	if len(p.Sidecars) == 0 {
		return
	}
	if p.Users == nil || p.Users.Existing {
		v.wrong("/sidecars", "their users are added to /users, which must be given and not be an existing Secret")
	}
	if p.Keys == nil {
		v.wrong("/sidecars", "their credentials have the trust file of /keys, which must be given")
	}
	for i, s := range p.Sidecars {
		place := fmt.Sprintf("/sidecars/%d", i)
		if s.Name == "" || len(s.Name) > maxName || strings.ContainsFunc(s.Name, func(r rune) bool { return !unicode.IsPrint(r) }) {
			v.wrong(place+"/name", "%q is no name of a NATS user", s.Name)
		}
		if slices.ContainsFunc(p.Sidecars[:i], func(other Sidecar) bool { return other.Name == s.Name }) {
			v.wrong(place+"/name", "there are two sidecars %q", s.Name)
		}
		if err := flagsync.ValidateEnvironment(s.Environment); err != nil {
			v.wrong(place+"/environment", "%w", err)
		}
		if len(s.Namespaces) == 0 {
			v.wrong(place+"/namespaces", "name at least one namespace, that of the publisher first")
		}
		for j, namespace := range s.Namespaces {
			v.namespace(fmt.Sprintf("%s/namespaces/%d", place, j), namespace)
			v.writes(place+"/secret", namespace, s.Secret)
		}
	}
}
