package changelog

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// epochBytes is the length of a random epoch, and shortEpoch how many
// hexadecimal digits of it appear in a [Token].
const (
	epochBytes = 16
	shortEpoch = 8
)

// Epoch identifies one history of an environment: 32 lower-case hexadecimal
// digits. Revisions of different epochs cannot be compared. The zero value
// belongs to no history.
type Epoch string

// NewEpoch returns a random epoch.
func NewEpoch() Epoch {
	var id [epochBytes]byte
	_, _ = rand.Read(id[:]) // never fails: crypto/rand ends the process instead
	return Epoch(hex.EncodeToString(id[:]))
}

// Validate reports what is wrong with the spelling of e.
func (e Epoch) Validate() error {
	if len(e) != hex.EncodedLen(epochBytes) || !lowerHex(string(e)) {
		return fmt.Errorf("epoch %q is not %d lower-case hexadecimal digits", string(e), hex.EncodedLen(epochBytes))
	}
	return nil
}

// Short returns the first eight digits, as used in tokens.
func (e Epoch) Short() string {
	return string(e[:min(len(e), shortEpoch)])
}

func lowerHex(s string) bool {
	return strings.Trim(s, "0123456789abcdef") == ""
}

// Position is a place in the history of an environment: the entry with this
// revision, which had this digest, in this epoch. Two logs that hold the same
// position hold the same history up to it, because every entry names the
// digest of the one before. The zero value is the place before any entry.
type Position struct {
	Epoch    Epoch  `json:"epoch"`
	Revision uint64 `json:"revision"`
	Digest   Digest `json:"digest"`
}

// IsZero reports whether p lies before any entry.
func (p Position) IsZero() bool { return p.Revision == 0 }

// Token returns the position as it leaves the process.
func (p Position) Token() Token { return Token{Epoch: p.Epoch.Short(), Revision: p.Revision} }

// Token names a revision to the outside: in an ETag, an If-Match or a minimum
// revision. It is written "<epoch8>-<revision>", so that a revision of another
// history is recognised and not mistaken for one of this.
type Token struct {
	Epoch    string // first eight digits of the epoch
	Revision uint64
}

// ErrToken is returned for text that is no revision token.
var ErrToken = errors.New("not a revision token of the form <epoch8>-<revision>")

// ParseToken decodes the result of [Token.String].
func ParseToken(s string) (Token, error) {
	epoch, digits, ok := strings.Cut(s, "-")
	if !ok || len(epoch) != shortEpoch || !lowerHex(epoch) {
		return Token{}, fmt.Errorf("%w: %q", ErrToken, s)
	}
	revision, err := strconv.ParseUint(digits, 10, 64)
	if err != nil || strconv.FormatUint(revision, 10) != digits {
		return Token{}, fmt.Errorf("%w: %q", ErrToken, s)
	}
	return Token{Epoch: epoch, Revision: revision}, nil
}

// String returns "<epoch8>-<revision>".
func (t Token) String() string {
	return t.Epoch + "-" + strconv.FormatUint(t.Revision, 10)
}

// In reports whether t names a revision of epoch e.
func (t Token) In(e Epoch) bool { return e != "" && t.Epoch == e.Short() }
