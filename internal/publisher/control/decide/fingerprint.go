package decide

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
)

// Fingerprint returns a short name for a text.
func Fingerprint(text string) string {
	sum := sha256.Sum256([]byte(text))
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:15]))
}

// CommandFingerprint tells commands apart. It stands in logs and ledgers, so it stays the same from version to version.
func CommandFingerprint(c Command) string {
	if r, ok := c.(Restore); ok {
		c = r.Transfer
	}
	if t, ok := c.(Transfer); ok && t.Source != "" {
		return Fingerprint(t.Source)
	}
	data, err := json.Marshal(c, json.Deterministic(true))
	if err != nil {
		data = fmt.Append(nil, c)
	}
	return Fingerprint(fmt.Sprintf("control.%s ", typeName(c)) + string(data))
}

// typeName returns the name of the type of a command.
func typeName(c Command) string {
	name := fmt.Sprintf("%T", c)
	return name[strings.LastIndexByte(name, '.')+1:]
}

// Fingerprint tells proposals apart.
func (c ProposalSpec) Fingerprint() string {
	return Fingerprint(fmt.Sprint(CommandFingerprint(c.Command), c.ApplyAt.UTC(), c.MaxDelay, c.Expires.UTC(), c.BreakGlass))
}
