package access

import (
	"cmp"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/writer"
)

// Errors of Tokens.
var (
	// ErrNotReady means that the tokens were not read yet; try again.
	ErrNotReady = errors.New("the API tokens are not loaded yet: ask again in a moment")
	// ErrTokenUnknown means that there is no token with the id.
	ErrTokenUnknown = errors.New("there is no such token")
	// ErrInvalidToken means that a token cannot be made as it was described.
	ErrInvalidToken = errors.New("the token cannot be made")
)

// The types of records about tokens. A journal holds records of other types too.
const (
	tokenCreated = "token.created"
	tokenRevoked = "token.revoked"
)

// tokenRecord is a record about a token as the journal holds it.
type tokenRecord struct {
	Type  string       `json:"type"`
	Token *storedToken `json:"token,omitempty"`
	Why
}

// storedToken is a token as the journal holds it. In a revocation, it has nothing but its id, the time and the revoker.
type storedToken struct {
	Token

	Hash hash `json:"hash,omitzero"`
}

// Tokens are the API tokens of an installation. Publishers share them through a journal: what one creates or revokes, the others know as
// soon as the journal tells them, within a second while it can be reached.
type Tokens struct {
	records

	now      func() time.Time
	lifetime time.Duration
	all      map[string]storedToken // guarded by mu
	// unrecorded are the tokens whose revocation is known here and was lost from the journal.
	unrecorded map[string]Token // guarded by mu
}

// NewTokens returns no tokens yet; Run reads them. A nil now means time.Now. lifetime is how long new ones last at most; 0 means
// DefaultTokenLifetime.
func NewTokens(now func() time.Time, lifetime time.Duration) *Tokens {
	if now == nil {
		now = time.Now
	}
	t := &Tokens{now: now, lifetime: cmp.Or(lifetime, DefaultTokenLifetime), all: make(map[string]storedToken)}
	t.about, t.take, t.forget = "API tokens", t.takeRecord, t.forgetTokens
	return t
}

// Run reads the tokens and keeps them current until ctx ends, which is no error. Until they are read no one is let in by a token, because
// it may be revoked.
func (t *Tokens) Run(ctx context.Context, journal Journal) error { return t.run(ctx, journal) }

// CatchUp reads what the journal had before the call. The error is ErrNotReady, or why it cannot be read.
func (t *Tokens) CatchUp(ctx context.Context) error {
	if !t.ready() {
		return ErrNotReady
	}
	return t.catchUp(ctx)
}

// forgetTokens is called when the journal was repaired and is read again; t.mu must be held. A token whose revocation was lost stays revoked
// here, and can be revoked again.
func (t *Tokens) forgetTokens() {
	unrecorded := make(map[string]Token)
	for id, known := range t.all {
		if !known.Revoked.IsZero() {
			unrecorded[id] = known.Token
		}
	}
	t.all, t.unrecorded = make(map[string]storedToken), unrecorded
}

// isUnrecorded reports whether the revocation of a token is known here only.
func (t *Tokens) isUnrecorded(id string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, is := t.unrecorded[id]
	return is
}

// takeRecord adds a record to the tokens; t.mu must be held.
func (t *Tokens) takeRecord(r writer.Record) error {
	f, err := decodeRecord(r.Body)
	if err == nil {
		t.takeToken(f)
	}
	return err
}

// decodeRecord reads a record. Of one that is of another type, it reads the type only.
func decodeRecord(body []byte) (f tokenRecord, err error) {
	kind := changelog.RecordType(body)
	if kind != tokenCreated && kind != tokenRevoked {
		return tokenRecord{Type: kind}, nil
	}
	err = json.Unmarshal(body, &f)
	if err == nil && (f.Token == nil || f.Token.ID == "") {
		err = errors.New("it names no token")
	}
	return f, err
}

// takeToken applies a record that decodeRecord has returned; t.mu must be held.
func (t *Tokens) takeToken(f tokenRecord) {
	if f.Token == nil {
		return
	}
	known, exists := t.all[f.Token.ID]
	switch {
	case f.Type == tokenCreated && !exists:
		created := *f.Token
		if revoked, is := t.unrecorded[created.ID]; is {
			created.Revoked, created.Revoker = revoked.Revoked, revoked.Revoker
		}
		t.all[created.ID] = created
	case f.Type == tokenRevoked && exists && (known.Revoked.IsZero() || t.unrecorded[known.ID].ID != ""):
		delete(t.unrecorded, known.ID)
		known.Revoked, known.Revoker = f.Token.Revoked, f.Token.Revoker
		t.all[f.Token.ID] = known
	}
}

// Create makes a token for the author, who must have been permitted to Administer. The secret is returned here and nowhere else: only its
// hash is kept. The error is ErrInvalidToken, ErrNotReady, or one of writer.Ledger; after writer.ErrUndecided the token may
// exist, but no one knows its secret: revoke it when the list shows it.
func (t *Tokens) Create(ctx context.Context, author Principal, n NewToken) (Token, string, error) {
	now := t.now().UTC().Truncate(time.Second)
	if err := n.validate(author, now); err != nil {
		return Token{}, "", fmt.Errorf("%w: %w", ErrInvalidToken, err)
	}
	expires, err := n.expiry(t.latest(author, now))
	if err != nil {
		return Token{}, "", fmt.Errorf("%w: %w", ErrInvalidToken, err)
	}
	id, secret := newSecret()
	created := storedToken{
		Token: Token{
			ID: id, Name: n.Name, Hint: secret[len(secret)-hintLength:], Groups: slices.Clone(n.Groups), Scope: n.Scope.clone(),
			Author: author.ID, Created: now, Expires: expires,
		},
		Hash: hashOf(secret),
	}
	if err := t.record(ctx, func() (any, error) { return tokenRecord{tokenCreated, &created, n.Why}, nil }); err != nil {
		return Token{}, "", err
	}
	return created.Token, secret, nil
}

// Revoke ends a token for good and returns it. To revoke it again changes nothing. The error is ErrTokenUnknown, ErrNotReady, or one of
// writer.Ledger.
func (t *Tokens) Revoke(ctx context.Context, author Principal, id string, why Why) (Token, error) {
	revoked := storedToken{Token: Token{ID: id, Revoked: t.now().UTC().Truncate(time.Second), Revoker: author.ID}}
	err := t.record(ctx, func() (any, error) {
		known, exists := t.find(id)
		switch {
		case !exists:
			return nil, fmt.Errorf("%w: %.40q", ErrTokenUnknown, id)
		case !known.Revoked.IsZero() && !t.isUnrecorded(id):
			return nil, nil
		}
		return tokenRecord{tokenRevoked, &revoked, why}, nil
	})
	known, _ := t.find(id)
	return known.Token, err
}

// record writes what decide returns, and nothing if that is nil.
func (t *Tokens) record(ctx context.Context, decide func() (any, error)) error {
	if !t.ready() {
		return ErrNotReady
	}
	return t.append(ctx, decide)
}

func (t *Tokens) find(id string) (storedToken, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	found, exists := t.all[id]
	return found, exists
}

// Standing returns why a principal no longer counts who is not there to be authenticated: ErrRejected when the token was revoked or has
// expired, ErrUnavailable when that is not known yet. No one knows that of principals without a token here: they count.
func (t *Tokens) Standing(p Principal) error {
	id, ok := strings.CutPrefix(p.ID, tokenPrincipal)
	if p.Kind != KindToken || !ok {
		return nil
	}
	if !t.ready() {
		return fmt.Errorf("%w: %w", ErrUnavailable, ErrNotReady)
	}
	return t.ended(id)
}

// Line returns the principals that a token was made by, one after the other: that which had it made, that which had this one made, and so
// on. It is empty for a principal without a token here.
func (t *Tokens) Line(principal string) (line []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for range len(t.all) {
		id, isToken := strings.CutPrefix(principal, tokenPrincipal)
		stored, known := t.all[id]
		if !isToken || !known || stored.Author == "" {
			break
		}
		principal = stored.Author
		line = append(line, principal)
	}
	return line
}

// Name returns what a token is called, by the principal that its holder is; false if that is none with a token here. A nil t knows none.
func (t *Tokens) Name(principal string) (string, bool) {
	id, isToken := strings.CutPrefix(principal, tokenPrincipal)
	if t == nil || !isToken {
		return "", false
	}
	stored, known := t.find(id)
	return stored.Name, known && stored.Name != ""
}

// latest returns when a token that an author has made ends at the latest.
func (t *Tokens) latest(author Principal, now time.Time) time.Time {
	latest := now.Add(t.lifetime)
	if id, ok := strings.CutPrefix(author.ID, tokenPrincipal); ok {
		if stored, known := t.find(id); known && !stored.Expires.IsZero() && stored.Expires.Before(latest) {
			return stored.Expires
		}
	}
	return latest
}

// ended returns why a token is not accepted any more, as ErrRejected, or nil: it ends with each token that it was made with.
func (t *Tokens) ended(id string) error {
	stored, _ := t.find(id)
	if err := stored.ended(t.now()); err != nil {
		return err
	}
	for _, author := range t.Line(tokenPrincipal + id) {
		id, isToken := strings.CutPrefix(author, tokenPrincipal)
		if made, known := t.find(id); isToken && known && made.ended(t.now()) != nil {
			return rejected("the API token was made with one that was revoked or has expired")
		}
	}
	return nil
}

// List returns all tokens, oldest first, expired and revoked ones too, or ErrNotReady. The caller owns the slice, and must not change what
// its members point to.
func (t *Tokens) List() ([]Token, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.read {
		return nil, ErrNotReady
	}
	var all []Token
	for _, stored := range t.all {
		all = append(all, stored.Token)
	}
	slices.SortFunc(all, func(a, b Token) int { return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID)) })
	return all, nil
}

// authenticate returns whom a secret of the form of an API token stands for.
func (t *Tokens) authenticate(id, secret string) (Principal, error) {
	if !t.ready() {
		return Principal{}, fmt.Errorf("%w: %w", ErrUnavailable, ErrNotReady)
	}
	stored, exists := t.find(id)
	given := hashOf(secret)
	match := subtle.ConstantTimeCompare(given[:], stored.Hash[:]) == 1 // also without such a token, so that both take as long
	if !exists || !match {
		return Principal{}, rejected("the API token is unknown")
	}
	if err := t.ended(id); err != nil {
		return Principal{}, err
	}
	return stored.principal(), nil
}
