package session

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strings"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/sync/bucket"
)

// Authenticate returns who sends a request: by its Authorization header if it has one, else by the cookie of a session. The error is one of
// access.Authenticator, ErrEnded or ErrMediaType.
func (s *Sessions) Authenticate(r *http.Request) (access.Principal, error) {
	value := cookie(r, cookieName)
	if len(r.Header.Values("Authorization")) > 0 || value == "" {
		return s.options.Authenticator.Authenticate(r)
	}
	if !sentByPage(r) {
		return access.Principal{}, ErrMediaType
	}
	_, p, err := s.verify(r, value)
	return p, err
}

// sentByPage reports whether the type of a request's body is none that a page of another site can send without being asked for it: those of forms, and
// none at all. A request that changes nothing needs no type.
func sentByPage(r *http.Request) bool {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return true
	}
	given := r.Header.Get("Content-Type")
	if given == "" {
		return r.ContentLength == 0
	}
	media, _, err := mime.ParseMediaType(given)
	return err == nil && (media == "application/json" || strings.HasPrefix(media, "application/") && strings.HasSuffix(media, "+json"))
}

// Current returns the id in the cookie of a request that counts by it, empty for others. It is not verified.
func (s *Sessions) Current(r *http.Request) string {
	c, ok := parseCredential(cookie(r, cookieName))
	if !ok || len(r.Header.Values("Authorization")) > 0 {
		return ""
	}
	return c.id
}

// Forget returns the Set-Cookie that has a browser forget its session.
func (s *Sessions) Forget(r *http.Request) string { return cookieFor(r, sessionCookie(""), 0).String() }

func ended(why error) error { return fmt.Errorf("%w: %w: %w", access.ErrRejected, ErrEnded, why) }

// verify returns the session of a cookie and whom it stands for now.
func (s *Sessions) verify(r *http.Request, value string) (record, access.Principal, error) {
	c, ok := parseCredential(value)
	if !ok {
		return record{}, access.Principal{}, ended(errors.New("the cookie is none of this console"))
	}
	found, err := s.find(r.Context(), c)
	if err != nil {
		return record{}, access.Principal{}, err
	}
	if found.Encrypted != encrypted(r) {
		return record{}, access.Principal{}, fmt.Errorf("%w: the session was made over another kind of connection: sign in again", access.ErrRejected)
	}
	p, err := s.options.Authenticator.Reaffirm(found.Grant, c.secret)
	if errors.Is(err, access.ErrRejected) {
		s.drop(r.Context(), found, err)
		return record{}, access.Principal{}, ended(err)
	}
	return found, p, err
}

// find returns the session that a credential opens.
func (s *Sessions) find(ctx context.Context, c credential) (record, error) {
	known, isKnown := s.cache.find(c.id)
	now := s.options.Now()
	if !isKnown || now.Sub(known.seen) >= Recheck {
		read, err := s.read(ctx, c.id, isKnown)
		switch {
		case errors.Is(err, bucket.ErrNotFound), errors.Is(err, errForeign):
			s.cache.forget(c.id)
			return record{}, ended(errors.New("it was ended, or its time is over"))
		case err == nil:
			known = cached{record: read, seen: now}
			s.cache.keep(known)
		case !isKnown || now.Sub(known.seen) >= outage:
			return record{}, fmt.Errorf("%w: %w", access.ErrUnavailable, err)
		}
	}
	if !c.opens(known.record.Hash) {
		return record{}, ended(errors.New("the cookie is none of this console"))
	}
	if !now.Before(known.record.Expires) {
		return record{}, ended(errors.New("its time is over"))
	}
	return known.record, nil
}

// read reads a session from the bucket. There are not too many reads of sessions that are not known here.
func (s *Sessions) read(ctx context.Context, id string, known bool) (record, error) {
	if !known && !s.limits.lookups.Allow() {
		return record{}, errors.New("too many unknown cookies were sent")
	}
	store, err := s.bucket()
	if err != nil {
		return record{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	v, err := store.Get(ctx, id+".*")
	if err != nil {
		return record{}, s.noteLost(err)
	}
	r, err := unseal(v, s.options.Keyring)
	if err != nil {
		s.options.Repeats.Line(zerolog.WarnLevel, "foreign session", func(e *zerolog.Event) { e.Err(err).Msg("session refused") })
	}
	return r, err
}

// drop ends a session whose holder would not be let in any more. If that fails, it is tried again with the next request.
func (s *Sessions) drop(ctx context.Context, r record, why error) {
	if s.end(ctx, r) == nil {
		s.options.Logger.Info().Str("session", r.ID).Str("principal", r.Grant.Principal().RecordID()).AnErr("cause", why).Msg("session of the console ended")
	}
}

// end takes a session out of the bucket.
func (s *Sessions) end(ctx context.Context, r record) error {
	store, err := s.bucket()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	if err := store.Remove(ctx, r.key()); err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	s.cache.forget(r.ID)
	return nil
}
