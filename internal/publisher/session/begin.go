package session

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode"

	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/sync/bucket"
)

// begin makes a session for a grant, gives its cookie to the browser, and ends the session that the browser had. The credential is a new one each time, so
// that no one can have put it into the browser before.
func (s *Sessions) begin(w http.ResponseWriter, r *http.Request, c credential, g access.Grant, how How) (record, error) {
	now := s.options.Now().UTC()
	made := record{
		Format: recordFormat, ID: c.id, Hash: c.hash(), Grant: g, How: how, Created: now, Expires: now.Add(Lifetime), Encrypted: encrypted(r), Agent: agentOf(r),
	}
	if err := s.makeRoom(r.Context(), g.Principal().PolicyID()); err != nil {
		return record{}, err
	}
	if err := s.put(r.Context(), made); err != nil {
		return record{}, err
	}
	s.endOld(r)
	setCookie(w, r, sessionCookie(c.String()), Lifetime)
	s.options.Logger.Info().Str("session", made.ID).Str("principal", g.Principal().RecordID()).Str("how", string(how)).Msg("signed in to the console")
	return made, nil
}

// put puts a session into the bucket.
func (s *Sessions) put(ctx context.Context, made record) error {
	store, err := s.bucket()
	if err != nil {
		return err
	}
	v, err := made.seal(s.options.Signer)
	if err != nil {
		return err
	}
	if len(v.Data) > MaxBytes {
		return fmt.Errorf("%w: the groups of the principal take more than %d bytes", access.ErrRejected, MaxBytes)
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	switch err := store.Create(ctx, v, Lifetime); {
	case errors.Is(err, bucket.ErrFull):
		return fmt.Errorf("%w: there are %d sessions, as many as there may be: end some with flagside session revoke", ErrUnavailable, MaxSessions)
	case err != nil:
		return fmt.Errorf("%w: %w", ErrUnavailable, s.noteLost(err))
	}
	return nil
}

// makeRoom ends the oldest sessions of a principal who has as many as there may be.
func (s *Sessions) makeRoom(ctx context.Context, policyID string) error {
	own, err := s.records(ctx, policyID)
	if err != nil {
		return err
	}
	for len(own) >= maxOwn {
		if err := s.end(ctx, own[0]); err != nil {
			return err
		}
		own = own[1:]
	}
	return nil
}

// endOld ends the session whose cookie the browser has sent, if it has one. If that cannot be done the session ends by itself.
func (s *Sessions) endOld(r *http.Request) {
	if c, ok := parseCredential(cookie(r, cookieName)); ok {
		if old, err := s.find(r.Context(), c); err == nil {
			_ = s.end(r.Context(), old)
		}
	}
}

// agentOf returns what the browser calls itself, as one line.
func agentOf(r *http.Request) string {
	name := strings.ToValidUTF8(r.UserAgent(), "")
	name = strings.Map(func(c rune) rune {
		if unicode.IsPrint(c) {
			return c
		}
		return -1
	}, name)
	return strings.ToValidUTF8(name[:min(len(name), maxAgent)], "")
}
