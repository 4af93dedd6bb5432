package flagsync

// Names of the files in a directory with the credentials of one user, as
// "flagside credentials add" writes it and a Kubernetes Secret is mounted.
const (
	CredentialsNKey  = "nats.nkey" // the seed of the NATS user, which is the secret
	CredentialsTrust = "trust"     // the root keys that entries must lead back to
	CredentialsCA    = "ca.pem"    // the CA certificates for the NATS server; may be missing
)
