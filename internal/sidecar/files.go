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
	settings := []string{o.TrustFile, o.BootstrapFile, o.NATSCA, o.NATSCertificate, o.TLS.Certificate, o.TLS.ClientCA}
	secrets := []string{o.NATSCredentials, o.NATSNKey, o.NATSCertificateKey, o.TLS.Key, o.OFREPAuthFile, o.FlagdAuthFile, o.ExposureKeyFile}
	return fileaccess.VerifyAll(settings, secrets, func(file, warning string) { o.Logger.Warn().Str("file", file).Msg(warning) })
}
