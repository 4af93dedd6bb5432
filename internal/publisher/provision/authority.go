package provision

import (
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"slices"
	"strings"
	"time"
)

// The names in the Secrets of the CA and of certificates.
const (
	authorityCertificate = "ca.crt"
	authorityKey         = "ca.key"
	certificateFile      = "tls.crt"
	certificateKey       = "tls.key"
)

const (
	authorityYears   = 10
	certificateYears = 3
	// renewAt is which part of its life a certificate has left when it is renewed: a third.
	renewAt = 3
	// clockSkew is how much earlier certificates begin, for clocks that are late.
	clockSkew = time.Hour
)

// authority is a CA.
type authority struct {
	certificate *x509.Certificate
	key         crypto.Signer
	pem         []byte // the certificate
}

// newAuthority makes a CA, and returns what its Secret holds.
func newAuthority(release string, now time.Time) (*authority, map[string][]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: newSerial(), Subject: pkix.Name{Organization: []string{"flagside"}, CommonName: release},
		NotBefore: now.Add(-clockSkew), NotAfter: now.AddDate(authorityYears, 0, 0),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	certificate, key8, err := sign(template, template, key, key)
	if err != nil {
		return nil, nil, err
	}
	data := map[string][]byte{authorityCertificate: certificate, authorityKey: key8}
	a, err := parseAuthority(data)
	return a, data, err
}

// parseAuthority reads what the Secret of a CA holds. Errors do not repeat the key.
func parseAuthority(data map[string][]byte) (*authority, error) {
	pair, err := tls.X509KeyPair(data[authorityCertificate], data[authorityKey])
	if err != nil {
		return nil, fmt.Errorf("%s and %s: %w", authorityCertificate, authorityKey, err)
	}
	key, ok := pair.PrivateKey.(crypto.Signer)
	if !ok || !pair.Leaf.IsCA {
		return nil, fmt.Errorf("%s is not a CA certificate", authorityCertificate)
	}
	return &authority{certificate: pair.Leaf, key: key, pem: data[authorityCertificate]}, nil
}

// issue makes a certificate for a server, and returns what its Secret holds. It does not outlive the CA.
func (a *authority) issue(hosts []string, now time.Time) (map[string][]byte, error) {
	if !now.Before(a.certificate.NotAfter) {
		return nil, fmt.Errorf("the CA expired on %s", day(a.certificate.NotAfter))
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: newSerial(), BasicConstraintsValid: true,
		NotBefore: now.Add(-clockSkew), NotAfter: slices.MinFunc([]time.Time{now.AddDate(certificateYears, 0, 0), a.certificate.NotAfter}, time.Time.Compare),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, host := range canonical(hosts) {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	certificate, key8, err := sign(template, a.certificate, key, a.key)
	return map[string][]byte{certificateFile: certificate, certificateKey: key8, authorityCertificate: a.pem}, err
}

// issued reports whether a certificate is of the CA.
func (a *authority) issued(c *x509.Certificate) bool {
	return c.CheckSignatureFrom(a.certificate) == nil
}

// parseCertificate reads what the Secret of a certificate holds. Errors do not repeat the key.
func parseCertificate(data map[string][]byte) (*x509.Certificate, error) {
	pair, err := tls.X509KeyPair(data[certificateFile], data[certificateKey])
	if err != nil {
		return nil, fmt.Errorf("%s and %s: %w", certificateFile, certificateKey, err)
	}
	return pair.Leaf, nil
}

// judge returns why a certificate of the CA has to be renewed, empty if it need not.
func judge(c *x509.Certificate, hosts []string, now time.Time) string {
	left := c.NotAfter.Sub(now)
	switch {
	case left <= 0:
		return "it has ended on " + day(c.NotAfter)
	case renewAt*left < c.NotAfter.Sub(c.NotBefore):
		return "it ends on " + day(c.NotAfter)
	case !slices.Equal(hostsOf(c), canonical(hosts)):
		return "its hosts have changed"
	default:
		return ""
	}
}

// lacking returns the hosts that a certificate is not for.
func lacking(c *x509.Certificate, hosts []string) []string {
	return slices.DeleteFunc(canonical(hosts), func(host string) bool { return c.VerifyHostname(host) == nil })
}

// hostsOf returns the hosts that a certificate names, as canonical does.
func hostsOf(c *x509.Certificate) []string {
	hosts := slices.Clone(c.DNSNames)
	for _, ip := range c.IPAddresses {
		hosts = append(hosts, ip.String())
	}
	return canonical(hosts)
}

// canonical returns hosts in one spelling and order, each once.
func canonical(hosts []string) []string {
	all := make([]string, 0, len(hosts))
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			host = ip.String()
		}
		all = append(all, strings.ToLower(host))
	}
	slices.SortFunc(all, cmp.Compare[string])
	return slices.Compact(all)
}

func newSerial() *big.Int {
	serial, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127)) // never fails
	return serial.Add(serial, big.NewInt(1))
}

// sign returns a certificate and its key in PEM.
func sign(template, parent *x509.Certificate, key *ecdsa.PrivateKey, by crypto.Signer) (certificate, key8 []byte, err error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), by)
	if err != nil {
		return nil, nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, errors.New("a key cannot be written")
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), nil
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }
