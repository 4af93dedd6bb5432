package session

import (
	"encoding/base64"
	"errors"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"
	"golang.org/x/oauth2"

	"github.com/flagside/flagside/internal/publisher/access"
)

const (
	// stepTime is how long a person may take at the issuer.
	stepTime = 10 * time.Minute
	// maxStep bounds the cookie of that time, in bytes.
	maxStep = 3 << 10
)

// step is what a browser keeps while a person is at the issuer.
type step struct {
	State    string    `json:"state"`
	Nonce    string    `json:"nonce"`
	Verifier string    `json:"verifier"`
	To       string    `json:"to"`
	Expires  time.Time `json:"expires"`
}

// sendToIssuer sends a person to the issuer.
func (s *Sessions) sendToIssuer(w http.ResponseWriter, r *http.Request) {
	if s.flow == nil {
		tell(w, http.StatusNotFound, "No identity provider is set up for the console: sign in with an API token, or add signIn to an issuer in --issuers.")
		return
	}
	if p, refused := s.refusal(r, ByIssuer); refused {
		tell(w, p.Status, p.Detail)
		return
	}
	next := step{State: newSecret(), Nonce: newSecret(), Verifier: oauth2.GenerateVerifier(), To: localPath(r.URL.Query().Get("to")), Expires: s.options.Now().Add(stepTime)}
	at, err := s.flow.Begin(r.Context(), next.secrets())
	if err != nil {
		s.counted(ByIssuer, err)
		tell(w, http.StatusServiceUnavailable, "The identity provider cannot be reached now: try again, or sign in with an API token.")
		return
	}
	setCookie(w, r, stepCookie(next.encode()), stepTime)
	redirect(w, r, at)
}

// receiveFromIssuer signs in a person whom the issuer has sent back.
func (s *Sessions) receiveFromIssuer(w http.ResponseWriter, r *http.Request) {
	if s.flow == nil {
		tell(w, http.StatusNotFound, "No identity provider is set up for the console.")
		return
	}
	if p, refused := s.refusal(r, ByIssuer); refused {
		tell(w, p.Status, p.Detail)
		return
	}
	last := decodeStep(cookie(r, stepName))
	setCookie(w, r, stepCookie(""), 0) // whatever comes of it: it counts once
	c := newCredential()
	g, err := s.arrived(r, last)
	if err == nil {
		_, err = s.begin(w, r, c, g, ByIssuer)
	}
	s.counted(ByIssuer, err)
	switch {
	case errors.Is(err, access.ErrRejected):
		tell(w, http.StatusUnauthorized, "You are not signed in: "+err.Error()+".")
	case err != nil:
		tell(w, http.StatusServiceUnavailable, "You are not signed in, because something cannot be reached now: try again.")
	default:
		redirect(w, r, localPath(last.To))
	}
}

// arrived returns the grant of the person whom the issuer has sent back.
func (s *Sessions) arrived(r *http.Request, last step) (access.Grant, error) {
	if !s.options.Now().Before(last.Expires) {
		last.State = "" // as if nothing had begun
	}
	return s.flow.Finish(r.Context(), r.URL.Query(), last.secrets())
}

func (s step) secrets() access.SignInSecrets {
	return access.SignInSecrets{State: s.State, Nonce: s.Nonce, Verifier: s.Verifier}
}

func (s step) encode() string {
	text, err := json.Marshal(s)
	if err != nil {
		return "" // not for a struct of texts
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

// decodeStep reads what encode writes; anything else is the zero value, by which nothing has begun.
func decodeStep(value string) step {
	var s step
	text, err := base64.RawURLEncoding.DecodeString(value)
	if err != nil || len(value) > maxStep || json.Unmarshal(text, &s) != nil {
		return step{}
	}
	return s
}

// redirect sends a browser elsewhere, with another request than this one.
func redirect(w http.ResponseWriter, r *http.Request, to string) {
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, to, http.StatusSeeOther)
}
