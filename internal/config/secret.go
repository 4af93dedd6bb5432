package config

// mask stands for what must not be shown.
const mask = "***"

// Secret is a text that does not show itself: printed, logged or encoded by any of the usual means it is masked. Its zero value is
// the absent secret.
type Secret struct{ text string }

// Reveal returns the text itself, empty if the secret was not given.
func (s Secret) Reveal() string { return s.text }

// String returns the mask, or nothing for the absent secret.
func (s Secret) String() string {
	if s.text == "" {
		return ""
	}
	return mask
}

// GoString returns what String returns, so that %#v does not reveal the secret either.
func (s Secret) GoString() string { return s.String() }

// MarshalText returns what String returns; it never fails.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
