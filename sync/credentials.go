package flagsync

import "slices"

// Names of the files in a directory with the credentials of one user, as
// "flagside credentials add" writes it and a Kubernetes Secret is mounted.
const (
	CredentialsNKey  = "nats.nkey" // the seed of the NATS user, which is the secret
	CredentialsTrust = "trust"     // the root keys that entries must lead back to
	CredentialsCA    = "ca.pem"    // the CA certificates for the NATS server; may be missing
	// CredentialsExposures is the environment's key for exposures; may be missing.
	CredentialsExposures = "exposure.key"
)

// CredentialsFiles returns what such a directory holds, by file name: the text of a
// seed, the trust file, the CA certificates, which may be nil, and the text of a key for
// exposures, which may be nil.
func CredentialsFiles(seed, trust, ca, exposures []byte) map[string][]byte {
	files := map[string][]byte{CredentialsNKey: slices.Concat(seed, []byte("\n")), CredentialsTrust: trust}
	if ca != nil {
		files[CredentialsCA] = ca
	}
	if exposures != nil {
		files[CredentialsExposures] = exposures
	}
	return files
}
