package changelog

// signedSession is the kind of what publishers say of who is signed in: among themselves, in no log.
const signedSession signedKind = "session"

// SignSession returns the signature of the record of a session with an id, which has no line end.
func (s *Signer) SignSession(id string, digest Digest) (Signature, error) {
	if s == nil {
		return "", errNoSigner
	}
	return s.sign(documentText(signedSession, s.installation, id, digest))
}

// VerifySession returns [ErrUnsigned] unless a publisher with a key that counts signed the record of the session with an id.
func (k *Keyring) VerifySession(id string, digest Digest, s Signature) error {
	return k.verify(documentText(signedSession, k.trust.installation, id, digest), s)
}
