package changelog

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// An epoch is 8 random hexadecimal digits, 12 with milliseconds since 1970, and
// 12 random ones. The first eight appear in a [Token], the time tells which of
// two epochs is the later one.
const (
	epochDigits = 32
	shortEpoch  = 8
	epochTime   = 12 // digits of the milliseconds, behind the first eight
)

// Epoch identifies one history of an environment: 32 lower-case hexadecimal
// digits. Revisions of different epochs cannot be compared, but epochs can: see
// [Epoch.Later]. The zero value belongs to no history.
type Epoch string

// NewEpoch returns an epoch of the time now that is later than after, which is
// "" when there is none.
func NewEpoch(now time.Time, after Epoch) Epoch {
	milliseconds := uint64(max(now.UnixMilli(), 0))
	if after != "" {
		milliseconds = max(milliseconds, after.milliseconds()+1)
	}
	var id [10]byte
	_, _ = rand.Read(id[:]) // never fails: crypto/rand ends the process instead
	random := hex.EncodeToString(id[:])
	return Epoch(fmt.Sprintf("%s%012x%s", random[:shortEpoch], milliseconds&(1<<48-1), random[shortEpoch:]))
}

// milliseconds returns the time part.
func (e Epoch) milliseconds() uint64 {
	if len(e) != epochDigits {
		return 0
	}
	n, _ := strconv.ParseUint(string(e[shortEpoch:shortEpoch+epochTime]), 16, 64) // a validated epoch has digits only
	return n
}

// Later reports whether e began after other. Any epoch is later than none.
func (e Epoch) Later(other Epoch) bool {
	return e != "" && (other == "" || e.milliseconds() > other.milliseconds())
}

// Validate reports what is wrong with the spelling of e.
func (e Epoch) Validate() error {
	if len(e) != epochDigits || !lowerHex(string(e)) {
		return fmt.Errorf("epoch %q is not %d lower-case hexadecimal digits", string(e), epochDigits)
	}
	return nil
}

// Short returns the first eight digits, as used in tokens.
func (e Epoch) Short() string {
	return string(e[:min(len(e), shortEpoch)])
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

// Newer reports whether p is of a later epoch than other, or behind it in the same.
func (p Position) Newer(other Position) bool {
	return p.Epoch.Later(other.Epoch) || p.Epoch == other.Epoch && p.Revision > other.Revision
}

// Link returns how the next entry names p as the one before it.
func (p Position) Link() Link { return Link{Revision: p.Revision, Digest: p.Digest} }

// Link names an entry by its revision and its digest. The zero value names
// none.
type Link struct {
	Revision uint64 `json:"revision"`
	Digest   Digest `json:"digest"`
}

// Anchor names a record of a journal by its sequence and its digest, so that
// what stands elsewhere shows how far the journal went. The zero value names
// none.
type Anchor struct {
	Sequence uint64 `json:"sequence"`
	Digest   Digest `json:"digest"`
}

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
