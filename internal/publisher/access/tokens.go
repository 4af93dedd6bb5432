package access

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/changelog"
)

// Errors of Tokens.
var (
	// ErrNotReady means that the tokens were not read yet; try again.
	ErrNotReady = errors.New("the API tokens were not read yet")
	// ErrTokenUnknown means that there is no token with the id.
	ErrTokenUnknown = errors.New("there is no such token")
	// ErrInvalidToken means that a token cannot be made as it was described.
	ErrInvalidToken = errors.New("the token cannot be made")
)

// Journal is where tokens are kept: a flagsync.Journal.
type Journal interface {
	Append(ctx context.Context, base uint64, opID string, body []byte) (uint64, error)
	Read(ctx context.Context, from uint64) iter.Seq2[flagsync.Record, error]
	Follow(ctx context.Context, from uint64, apply func(flagsync.Record) error) error
}

// The types of records about tokens. A journal holds records of other types too.
const (
	tokenCreated = "token.created"
	tokenRevoked = "token.revoked"
)

// tokenRecord is a record about a token as the journal holds it.
type tokenRecord struct {
	Type  string       `json:"type"`
	Token *storedToken `json:"token,omitempty"`
}

// storedToken is a token as the journal holds it. In a revocation, it has nothing but its id, the time and the revoker.
type storedToken struct {
	Token

	Hash hash `json:"hash,omitzero"`
}

// Tokens are the API tokens of an installation. Publishers share them through a journal: what one creates or revokes, the others know as
// soon as the journal tells them, within a second while it can be reached.
type Tokens struct {
	now func() time.Time

	mu      sync.Mutex // guards what follows
	journal Journal    // nil before Run
	read    bool
	last    uint64 // sequence of the newest record that was applied
	all     map[string]storedToken
}

// NewTokens returns no tokens yet; Run reads them. A nil now means time.Now.
func NewTokens(now func() time.Time) *Tokens {
	if now == nil {
		now = time.Now
	}
	return &Tokens{now: now, all: make(map[string]storedToken)}
}

// Run reads the tokens and keeps them current until ctx ends, which is no error.
func (t *Tokens) Run(ctx context.Context, journal Journal) error {
	t.mu.Lock()
	t.journal = journal
	t.mu.Unlock()
	if err := t.firstRead(ctx); err != nil || ctx.Err() != nil {
		return err
	}
	return journal.Follow(ctx, t.next(), t.apply)
}

// readPause is how long firstRead waits after a failure.
const readPause = 500 * time.Millisecond

// firstRead reads all tokens, however long that takes. Until then nobody is let in by a token, because it may be revoked.
func (t *Tokens) firstRead(ctx context.Context) error {
	for {
		err := t.catchUp(ctx)
		switch {
		case err == nil:
			t.mu.Lock()
			t.read = true
			t.mu.Unlock()
			return nil
		case ctx.Err() != nil:
			return nil //nolint:nilerr // that it ends is what was asked for
		case errors.Is(err, flagsync.ErrDamaged), errors.Is(err, errRecord):
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(readPause):
		}
	}
}

func (t *Tokens) next() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.last + 1
}

// catchUp applies what the journal has beyond what is known.
func (t *Tokens) catchUp(ctx context.Context) error {
	for r, err := range t.journal.Read(ctx, t.next()) {
		if err == nil {
			err = t.apply(r)
		}
		if err != nil {
			return fmt.Errorf("API tokens: %w", err)
		}
	}
	return nil
}

// errRecord marks a record about tokens that cannot be read. It is not skipped: it may be a revocation.
var errRecord = errors.New("a record about a token cannot be read")

// apply takes a record in. It ignores those that are known, and those of other types.
func (t *Tokens) apply(r flagsync.Record) error {
	f, err := decodeRecord(r.Body)
	if err != nil {
		return fmt.Errorf("%w: %d: %w", errRecord, r.Sequence, err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if r.Sequence > t.last {
		t.last = r.Sequence
		t.take(f)
	}
	return nil
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

// take applies a record that decodeRecord has returned; t.mu must be held.
func (t *Tokens) take(f tokenRecord) {
	if f.Token == nil {
		return
	}
	known, exists := t.all[f.Token.ID]
	switch {
	case f.Type == tokenCreated && !exists:
		t.all[f.Token.ID] = *f.Token
	case f.Type == tokenRevoked && exists && known.Revoked.IsZero():
		known.Revoked, known.Revoker = f.Token.Revoked, f.Token.Revoker
		t.all[f.Token.ID] = known
	}
}

// Create makes a token for the author, who must have been permitted to Administer. The secret is returned here and nowhere else: only its
// hash is kept. The error is ErrInvalidToken, ErrNotReady, or one of flagsync.Journal; after flagsync.ErrUndecided the token may
// exist, but nobody knows its secret: revoke it when the list shows it.
func (t *Tokens) Create(ctx context.Context, author Principal, n NewToken) (Token, string, error) {
	now := t.now().UTC().Truncate(time.Second)
	if err := n.validate(author, now); err != nil {
		return Token{}, "", fmt.Errorf("%w: %w", ErrInvalidToken, err)
	}
	id, secret := newSecret()
	created := storedToken{
		Token: Token{
			ID: id, Name: n.Name, Hint: secret[len(secret)-hintLength:], Groups: slices.Clone(n.Groups), Scope: n.Scope.clone(),
			Author: author.ID, Created: now, Expires: n.Expires.UTC(),
		},
		Hash: hashOf(secret),
	}
	if err := t.append(ctx, func() (*tokenRecord, error) { return &tokenRecord{tokenCreated, &created}, nil }); err != nil {
		return Token{}, "", err
	}
	return created.Token, secret, nil
}

// Revoke ends a token for good and returns it. To revoke it again changes nothing. The error is ErrTokenUnknown, ErrNotReady, or one of
// flagsync.Journal.
func (t *Tokens) Revoke(ctx context.Context, author Principal, id string) (Token, error) {
	revoked := storedToken{Token: Token{ID: id, Revoked: t.now().UTC().Truncate(time.Second), Revoker: author.ID}}
	err := t.append(ctx, func() (*tokenRecord, error) {
		known, exists := t.find(id)
		switch {
		case !exists:
			return nil, fmt.Errorf("%w: %.40q", ErrTokenUnknown, id)
		case !known.Revoked.IsZero():
			return nil, nil
		}
		return &tokenRecord{tokenRevoked, &revoked}, nil
	})
	known, _ := t.find(id)
	return known.Token, err
}

// append writes the record that decide returns, none if nil, after the newest one. It decides again when another record was faster.
func (t *Tokens) append(ctx context.Context, decide func() (*tokenRecord, error)) error {
	if !t.ready() {
		return ErrNotReady
	}
	op := rand.Text()
	for {
		if err := t.catchUp(ctx); err != nil {
			return err
		}
		base := t.next() - 1
		record, err := decide()
		if err != nil || record == nil {
			return err
		}
		body, err := json.Marshal(record)
		if err != nil {
			return fmt.Errorf("API tokens: %w", err)
		}
		sequence, err := t.journal.Append(ctx, base, op, body)
		if errors.Is(err, flagsync.ErrConflict) && ctx.Err() == nil {
			op = rand.Text()
			continue
		}
		if err != nil {
			return fmt.Errorf("API tokens: %w", err)
		}
		return t.apply(flagsync.Record{Sequence: sequence, Body: body})
	}
}

func (t *Tokens) ready() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.read
}

func (t *Tokens) find(id string) (storedToken, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	found, exists := t.all[id]
	return found, exists
}

// Standing returns why a principal no longer counts who is not there to be authenticated: ErrRejected when the token was revoked or has
// expired, ErrUnavailable when that is not known yet. Nobody knows that of principals without a token here: they count.
func (t *Tokens) Standing(p Principal) error {
	id, ok := strings.CutPrefix(p.ID, tokenPrincipal)
	if p.Kind != KindToken || !ok {
		return nil
	}
	if !t.ready() {
		return fmt.Errorf("%w: %w", ErrUnavailable, ErrNotReady)
	}
	stored, _ := t.find(id)
	return stored.ended(t.now())
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
	if err := stored.ended(t.now()); err != nil {
		return Principal{}, err
	}
	return stored.principal(), nil
}
