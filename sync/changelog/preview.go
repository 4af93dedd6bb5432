package changelog

// SignPreview returns the signature of a question what a change would do. It is
// good for nothing else: the signed text names its kind, and no entry, heartbeat
// or manifest has the same.
func SignPreview(s *Signer, environment string, question []byte) (Signature, error) {
	if s == nil {
		return "", errNoSigner
	}
	return s.sign(documentText(signedPreview, s.installation, environment, Sum(question)))
}

// VerifyPreview returns [ErrUnsigned] unless a publisher signed a question for an
// environment.
func VerifyPreview(k *Keyring, environment string, question []byte, s Signature) error {
	return verifyDocument(k, signedPreview, environment, question, s)
}
