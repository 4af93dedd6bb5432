package listen

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
)

// authority signs certificates.
type authority struct {
	t           *testing.T
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, key: newKey(t)}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.certificate, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return a
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// issue returns a certificate for 127.0.0.1 and its key, in PEM.
func (a *authority) issue(serial int64) (certificate, key []byte) {
	a.t.Helper()
	own := newKey(a.t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, &own.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	encoded, err := x509.MarshalECPrivateKey(own)
	if err != nil {
		a.t.Fatal(err)
	}
	return toPEM("CERTIFICATE", der), toPEM("EC PRIVATE KEY", encoded)
}

func toPEM(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.certificate)
	return pool
}

// place writes the files of a server.
func (a *authority) place(serial int64, into TLS) {
	a.t.Helper()
	certificate, key := a.issue(serial)
	write(a.t, into.Certificate, certificate)
	write(a.t, into.Key, key)
	if into.ClientCA != "" {
		write(a.t, into.ClientCA, toPEM("CERTIFICATE", a.certificate.Raw))
	}
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func paths(dir string) TLS {
	return TLS{Certificate: filepath.Join(dir, "tls.crt"), Key: filepath.Join(dir, "tls.key")}
}

// serve greets every connection until the test ends.
func serve(t *testing.T, o Options) string {
	t.Helper()
	l, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = io.WriteString(c, "hello")
			}()
		}
	}()
	return l.Addr().String()
}

func ask(addr string, config *tls.Config) (string, error) {
	c, err := tls.Dial("tcp", addr, config)
	if err != nil {
		return "", err
	}
	defer c.Close()
	got, err := io.ReadAll(c)
	return string(got), err
}

func TestTLS(t *testing.T) {
	a := newAuthority(t)
	files := paths(t.TempDir())
	a.place(2, files)
	addr := serve(t, Options{Addr: "127.0.0.1:0", TLS: files})
	if got, err := ask(addr, &tls.Config{RootCAs: a.pool()}); got != "hello" || err != nil {
		t.Errorf("read %q, %v", got, err)
	}
	if _, err := ask(addr, &tls.Config{RootCAs: a.pool(), MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}); err == nil {
		t.Error("TLS 1.1 is good enough")
	}
}

func TestProtocolsThatAreOffered(t *testing.T) {
	a := newAuthority(t)
	files := paths(t.TempDir())
	a.place(2, files)
	for want, only1 := range map[string]bool{"h2": false, "http/1.1": true} {
		addr := serve(t, Options{Addr: "127.0.0.1:0", TLS: files, HTTP1Only: only1})
		c, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: a.pool(), NextProtos: []string{"h2", "http/1.1"}})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if got := c.ConnectionState().NegotiatedProtocol; got != want {
			t.Errorf("HTTP1Only %t: the client speaks %q, want %q", only1, got, want)
		}
	}
}

func TestClientsNeedCertificates(t *testing.T) {
	a := newAuthority(t)
	dir := t.TempDir()
	files := paths(dir)
	files.ClientCA = filepath.Join(dir, "ca.crt")
	a.place(2, files)
	addr := serve(t, Options{Addr: "127.0.0.1:0", TLS: files})
	client := func(by *authority) *tls.Config {
		certificate, key := by.issue(3)
		pair, err := tls.X509KeyPair(certificate, key)
		if err != nil {
			t.Fatal(err)
		}
		return &tls.Config{RootCAs: a.pool(), Certificates: []tls.Certificate{pair}}
	}
	if got, err := ask(addr, client(a)); got != "hello" || err != nil {
		t.Errorf("with a certificate: %q, %v", got, err)
	}
	if got, err := ask(addr, &tls.Config{RootCAs: a.pool()}); err == nil {
		t.Errorf("without a certificate: %q", got)
	}
	if got, err := ask(addr, client(newAuthority(t))); err == nil {
		t.Errorf("with a certificate of another person: %q", got)
	}
}

func TestRenewedFilesAreUsed(t *testing.T) {
	a := newAuthority(t)
	files := paths(t.TempDir())
	a.place(2, files)
	var logs bytes.Buffer
	first, err := files.load(nil)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		f := files.follow(first, nil, zerolog.New(&logs))
		serial := func(after time.Duration) int64 {
			time.Sleep(after)
			leaf, err := x509.ParseCertificate(f.Fresh().Certificates[0].Certificate[0])
			if err != nil {
				t.Fatal(err)
			}
			return leaf.SerialNumber.Int64()
		}
		time.Sleep(rereadInterval)
		if got := f.Fresh(); got != first {
			t.Error("files that stay the same make another configuration")
		}
		a.place(3, files)
		if got := serial(time.Second); got != 2 {
			t.Errorf("serial %d before the interval is over", got)
		}
		if got := serial(rereadInterval - time.Second); got != 3 {
			t.Errorf("serial %d after renewal", got)
		}
		write(t, files.Key, []byte("damaged"))
		for range 3 {
			if got := serial(rereadInterval); got != 3 {
				t.Errorf("serial %d with damaged files", got)
			}
		}
		if n := strings.Count(logs.String(), "cannot be used"); n != 1 {
			t.Errorf("the damage is told %d times: %s", n, &logs)
		}
		a.place(4, files)
		if got := serial(rereadInterval); got != 4 {
			t.Errorf("serial %d after repair", got)
		}
	})
}

func TestUnusableFiles(t *testing.T) {
	a := newAuthority(t)
	dir := t.TempDir()
	good := paths(dir)
	a.place(2, good)
	empty := filepath.Join(dir, "empty")
	write(t, empty, nil)
	for name, files := range map[string]TLS{
		"no key":         {Certificate: good.Certificate},
		"no certificate": {Key: good.Key},
		"only clients":   {ClientCA: good.Certificate},
		"missing":        {Certificate: filepath.Join(dir, "none"), Key: good.Key},
		"no authority":   {Certificate: good.Certificate, Key: good.Key, ClientCA: empty},
		"missing CA":     {Certificate: good.Certificate, Key: good.Key, ClientCA: filepath.Join(dir, "none")},
	} {
		if l, err := Open(t.Context(), Options{Addr: "127.0.0.1:0", TLS: files}); err == nil {
			l.Close()
			t.Errorf("%s: no error", name)
		}
	}
}
