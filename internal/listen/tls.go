package listen

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"time"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/reload"
)

// TLS names the files that TLS needs, all in PEM. They are read again while they are in use, so certificates can be renewed.
type TLS struct {
	// Certificate and Key are the server's certificate, with its chain, and the key of it.
	Certificate, Key string
	// ClientCA has the CA certificates for clients. With it every client needs a certificate; empty means that none does.
	ClientCA string
}

// Enabled reports whether TLS is wanted.
func (t TLS) Enabled() bool { return t != TLS{} }

// Validate returns what is missing. It reads no files.
func (t TLS) Validate() error {
	switch {
	case t.Enabled() && t.Certificate == "":
		return errors.New("TLS has no certificate: give its file too")
	case t.Enabled() && t.Key == "":
		return errors.New("TLS has no key for its certificate: give its file too")
	default:
		return nil
	}
}

// Config returns the configuration of a server that speaks the protocols, nil without TLS. Handshakes use the newest files that can be used.
func (t TLS) Config(protocols []string, logger zerolog.Logger) (*tls.Config, error) {
	if err := t.Validate(); err != nil || !t.Enabled() {
		return nil, err
	}
	first, err := t.load(protocols)
	if err != nil {
		return nil, fmt.Errorf("TLS: %w", err)
	}
	files := t.follow(first, protocols, logger)
	next := first.Clone()
	next.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return files.Fresh(), nil }
	return next, nil
}

// load reads the files.
func (t TLS) load(protocols []string) (*tls.Config, error) {
	certificate, err := tls.LoadX509KeyPair(t.Certificate, t.Key)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{
		MinVersion:   tls.VersionTLS12,
		Certificates: []tls.Certificate{certificate},
		NextProtos:   protocols,
	}
	if t.ClientCA == "" {
		return config, nil
	}
	authorities, err := os.ReadFile(t.ClientCA)
	if err != nil {
		return nil, err
	}
	config.ClientCAs = x509.NewCertPool()
	if !config.ClientCAs.AppendCertsFromPEM(authorities) {
		return nil, fmt.Errorf("%s has no PEM certificate: name a file with CA certificates", t.ClientCA)
	}
	config.ClientAuth = tls.RequireAndVerifyClientCert
	return config, nil
}

// rereadInterval is how long files are believed before a handshake reads them again. Anyone who renews certificates does so long before
// the old ones end.
const rereadInterval = 10 * time.Second

// follow returns the files that the first configuration was loaded from. Handshakes read them again.
func (t TLS) follow(first *tls.Config, protocols []string, logger zerolog.Logger) *reload.File[*tls.Config] {
	return reload.New(reload.Options[*tls.Config]{
		Subject:  "the TLS certificate",
		Interval: rereadInterval,
		Load:     func() (*tls.Config, error) { return t.load(protocols) },
		Equal:    sameFiles,
		Logger:   logger.With().Str("certificate", t.Certificate).Logger(),
	}, first)
}

// sameFiles reports whether two configurations come from the same files. One that stays the same object keeps its session tickets.
func sameFiles(a, b *tls.Config) bool {
	return sameChain(a.Certificates[0], b.Certificates[0]) && a.ClientCAs.Equal(b.ClientCAs)
}

func sameChain(a, b tls.Certificate) bool {
	return slices.EqualFunc(a.Certificate, b.Certificate, func(x, y []byte) bool { return string(x) == string(y) })
}

// withTLS wraps a listener; without a configuration it stays as it is.
func withTLS(l net.Listener, config *tls.Config) net.Listener {
	if config == nil {
		return l
	}
	return tls.NewListener(l, config)
}
