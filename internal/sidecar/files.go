package sidecar

import (
	"fmt"

	"github.com/flagside/flagside/internal/fileaccess"
)

// verifyFiles refuses a data directory and files that others may write to, and warns of secrets that others may read.
func (o Options) verifyFiles() error {
	if o.DataDir != "" {
		if err := fileaccess.VerifyVolume(o.DataDir); err != nil {
			return fmt.Errorf("data directory: %w", err)
		}
	}
	for _, file := range []string{o.TrustFile, o.BootstrapFile, o.NATSCA, o.NATSCertificate, o.TLS.Certificate, o.TLS.ClientCA} {
		if file == "" {
			continue
		}
		if err := fileaccess.VerifySettings(file); err != nil {
			return err
		}
	}
	for _, file := range []string{o.NATSCredentials, o.NATSNKey, o.NATSCertificateKey, o.TLS.Key, o.OFREPAuthFile, o.FlagdAuthFile} {
		if file == "" {
			continue
		}
		warning, err := fileaccess.VerifySecret(file)
		if err != nil {
			return err
		}
		if warning != "" {
			o.Logger.Warn().Str("file", file).Msg(warning)
		}
	}
	return nil
}
