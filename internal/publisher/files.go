package publisher

import (
	"cmp"
	"path/filepath"

	"github.com/flagside/flagside/internal/fileaccess"
)

// verifyFiles refuses files that decide who may do what and that others may write to, and warns of secrets that others may read.
func (o Options) verifyFiles() error {
	settings := []string{o.Policy, o.Issuers, o.NATSUsers, o.NATSCA, o.NATSCertificate, o.AdminCertificate}
	secrets := []string{o.AdminTokenFile, o.NATSCredentials, o.NATSNKey, o.NATSCertificateKey, o.AdminKey, o.Webhooks, o.UsageSinks}
	if o.DataDir != "" {
		secrets = append(secrets, cmp.Or(o.NATSUsers, filepath.Join(o.DataDir, NATSUsersFile)))
	}
	return fileaccess.VerifyAll(settings, secrets, func(file, warning string) { o.Logger.Warn().Str("file", file).Msg(warning) })
}
