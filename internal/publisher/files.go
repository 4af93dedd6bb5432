package publisher

import (
	"cmp"
	"path/filepath"

	"github.com/flagside/flagside/internal/fileaccess"
)

// verifyFiles refuses files that decide who may do what and that others may write to, and warns of secrets that others may read.
func (o Options) verifyFiles() error {
	for _, file := range []string{o.Policy, o.Issuers, o.NATSUsers, o.NATSCA, o.NATSCertificate, o.AdminCertificate} {
		if file == "" {
			continue
		}
		if err := fileaccess.VerifySettings(file); err != nil {
			return err
		}
	}
	secrets := []string{o.AdminTokenFile, o.NATSCredentials, o.NATSNKey, o.NATSCertificateKey, o.AdminKey}
	if o.DataDir != "" {
		secrets = append(secrets, cmp.Or(o.NATSUsers, filepath.Join(o.DataDir, NATSUsersFile)))
	}
	for _, file := range secrets {
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
