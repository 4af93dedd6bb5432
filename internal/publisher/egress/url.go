package egress

import (
	"crypto/x509"
	"errors"
	"net/netip"
	"net/url"
)

// ParseURL reads the address of a receiver that may be reached. Errors do not quote it, because any part of it may be secret.
func ParseURL(text string, allowed []netip.Prefix) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Opaque != "" || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, errors.New("want an address that begins with https://")
	}
	switch {
	case u.User != nil:
		return nil, errors.New("the address has a user name, which is not sent: secrets have files of their own")
	case u.Fragment != "":
		return nil, errors.New("the address has a fragment, which is never sent")
	case u.Scheme == "http" && len(allowed) == 0:
		return nil, errors.New("want https://: http is for private addresses, with allowPrivate")
	}
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil {
		if err := Over(u.Scheme, allowed)(ip); err != nil {
			return nil, err
		}
	}
	return u, nil
}

// ValidateCA returns why a file has no certificates of authorities for receivers.
func ValidateCA(content []byte) error {
	if !x509.NewCertPool().AppendCertsFromPEM(content) {
		return errors.New("the file has no certificate in PEM")
	}
	return nil
}
