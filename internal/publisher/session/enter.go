package session

import (
	"crypto/sha256"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/sync/changelog"
)

const (
	// CodeTime is how long a one-time code counts.
	CodeTime = time.Hour
	// maxCodes bounds the codes that wait to be used.
	maxCodes = 16
)

// code is a one-time code that was given out.
type code struct {
	token   string // that it stands for
	expires time.Time
}

// codes are the one-time codes that were given out and not used, by their hashes.
type codes struct {
	mu  sync.Mutex
	all map[changelog.Digest]code
}

// NewCode returns a code that stands for a token once, for an hour. It is known to this process only.
func (s *Sessions) NewCode(token string) string {
	text := newSecret()
	s.codes.mu.Lock()
	defer s.codes.mu.Unlock()
	if len(s.codes.all) >= maxCodes {
		clear(s.codes.all)
	}
	s.codes.all[sha256.Sum256([]byte(text))] = code{token: token, expires: s.options.Now().Add(CodeTime)}
	return text
}

// take returns what a code stands for, and forgets it. Of two that come with it at once, one gets it.
func (c *codes) take(text string, now time.Time) (code, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := changelog.Digest(sha256.Sum256([]byte(text)))
	found, known := c.all[at]
	delete(c.all, at)
	return found, known && now.Before(found.expires)
}

// giveBack has a code count again with which no one could be signed in.
func (c *codes) giveBack(text string, unused code) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all[sha256.Sum256([]byte(text))] = unused
}

// enter signs in by a one-time code.
func (s *Sessions) enter(w http.ResponseWriter, r *http.Request) {
	if p, refused := s.refusal(r, ByCode); refused {
		tell(w, p.Status, p.Detail)
		return
	}
	err := s.enterBy(w, r, r.URL.Query().Get("code"))
	s.counted(ByCode, err)
	switch {
	case errors.Is(err, access.ErrRejected):
		tell(w, http.StatusUnauthorized, "The link works once and for an hour, and it was used or is too old: start flagside dev again, or sign in at "+Home+" with the token that it prints.")
	case err != nil:
		tell(w, http.StatusServiceUnavailable, "You are not signed in, because something cannot be reached now: open the link again in a moment.")
	default:
		redirect(w, r, Home)
	}
}

var errCode = errors.New("the one-time code was used, is too old, or never was one")

func (s *Sessions) enterBy(w http.ResponseWriter, r *http.Request, text string) error {
	found, ok := s.codes.take(text, s.options.Now())
	if !ok {
		return errors.Join(access.ErrRejected, errCode)
	}
	c := newCredential()
	g, err := s.options.Authenticator.Admit(found.token, c.secret)
	if err == nil {
		_, err = s.begin(w, r, c, g, ByCode)
	}
	if err != nil && !errors.Is(err, access.ErrRejected) {
		s.codes.giveBack(text, found)
	}
	return err
}
