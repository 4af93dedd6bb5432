package session

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/api"
)

// maxBody bounds the body of a request here, in bytes.
const maxBody = 4 << 10

// Where Handler is served. EnterPath takes a one-time code.
const (
	EnterPath   = Home + "enter"
	sessionPath = Home + "session"
	signInPath  = Home + "sign-in"
)

// Paths returns the paths that Handler answers.
func Paths() []string { return []string{sessionPath, signInPath, access.CallbackPath, EnterPath} }

// Handler returns what is served at Paths. It stands behind admin.CheckOrigin.
func (s *Sessions) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+sessionPath, s.show)
	mux.HandleFunc("POST "+sessionPath, s.signInByToken)
	mux.HandleFunc("DELETE "+sessionPath, s.signOut)
	mux.HandleFunc("GET "+signInPath, visited(s.sendToIssuer))
	mux.HandleFunc("GET "+access.CallbackPath, visited(s.receiveFromIssuer))
	mux.HandleFunc("GET "+EnterPath, visited(s.enter))
	return mux
}

// visited returns a handler of what something comes of once: only a browser that goes there reaches it, not one that looks ahead.
func visited(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.Header.Get("Sec-Purpose") != "" || r.Header.Get("Purpose") != "" {
			tell(w, http.StatusServiceUnavailable, "Open the link in a browser.")
			return
		}
		next(w, r)
	}
}

// shown is who is signed in.
type shown struct {
	Principal shownPrincipal `json:"principal"`
	How       How            `json:"how"`
	Expires   time.Time      `json:"expires"`
}

type shownPrincipal struct {
	ID      string      `json:"id"` // as records have it; empty for a person who has not changed anything
	Subject string      `json:"subject,omitempty"`
	Name    string      `json:"name,omitempty"`
	Kind    access.Kind `json:"kind"`
	Groups  []string    `json:"groups"`
}

// problem is an answer that no one is signed in, with the ways to sign in.
type problem struct {
	api.Problem

	SignIn *waysIn `json:"signIn,omitempty"`
}

type waysIn struct {
	Token bool   `json:"token"`
	OIDC  string `json:"oidc"` // the name of the issuer, empty if there is none
}

// show tells who is signed in.
func (s *Sessions) show(w http.ResponseWriter, r *http.Request) {
	value := cookie(r, cookieName)
	if value == "" {
		s.answerSignedOut(w, r, "No one is signed in.")
		return
	}
	found, p, err := s.verify(r, value)
	switch {
	case errors.Is(err, ErrEnded):
		setCookie(w, r, sessionCookie(""), 0)
		s.answerSignedOut(w, r, "The session has ended.")
	case errors.Is(err, access.ErrRejected):
		s.answerSignedOut(w, r, "The session does not count here.")
	case err != nil:
		s.answerFailed(w, err)
	default:
		answer(w, http.StatusOK, "application/json", found.showTo(p))
	}
}

func (r record) showTo(p access.Principal) shown {
	groups := p.Groups
	if groups == nil {
		groups = []string{}
	}
	return shown{Principal: shownPrincipal{ID: p.ID, Subject: p.Subject, Name: p.Name, Kind: p.Kind, Groups: groups}, How: r.How, Expires: r.Expires}
}

// answerSignedOut says how to sign in.
func (s *Sessions) answerSignedOut(w http.ResponseWriter, r *http.Request, detail string) {
	p := problem{Problem: newProblem(http.StatusUnauthorized, api.ProblemUnauthenticated, detail), SignIn: &waysIn{}}
	if !suitable(r) {
		p.Detail = detail + " " + plainRefusal
	} else if p.SignIn.Token = true; s.flow != nil {
		p.SignIn.OIDC = s.flow.Issuer()
	}
	answer(w, http.StatusUnauthorized, api.ProblemMedia, p)
}

// signInByToken exchanges an API token for a session.
func (s *Sessions) signInByToken(w http.ResponseWriter, r *http.Request) {
	if p, refused := s.refusal(r, ByToken); refused {
		w.Header().Set("Retry-After", "1")
		answer(w, p.Status, api.ProblemMedia, p)
		return
	}
	token, ok := tokenIn(w, r)
	if !ok {
		return
	}
	c := newCredential()
	g, err := s.options.Authenticator.Admit(token, c.secret)
	var made record
	if err == nil {
		made, err = s.begin(w, r, c, g, ByToken)
	}
	s.counted(ByToken, err)
	switch {
	case errors.Is(err, access.ErrRejected):
		s.answerSignedOut(w, r, capitalised(err.Error()))
	case err != nil:
		s.answerFailed(w, err)
	default:
		answer(w, http.StatusOK, "application/json", made.showTo(g.Principal()))
	}
}

// refusal returns why no one is signed in by a request, with whatever credentials.
func (s *Sessions) refusal(r *http.Request, how How) (problem, bool) {
	switch {
	case !suitable(r):
		return problem{Problem: newProblem(http.StatusForbidden, api.ProblemPlainHTTP, plainRefusal)}, true
	case !s.limits.attempt(s.options.Client(r)):
		s.metrics.signIns.WithLabelValues(string(how), string(limited)).Inc()
		return problem{Problem: newProblem(http.StatusTooManyRequests, api.ProblemTooMany, "Too many attempts to sign in: try again in a few seconds.")}, true
	default:
		return problem{}, false
	}
}

// tokenIn returns the token in the body of a request, or answers that there is none.
func tokenIn(w http.ResponseWriter, r *http.Request) (string, bool) {
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		answer(w, http.StatusUnsupportedMediaType, api.ProblemMedia, newProblem(http.StatusUnsupportedMediaType, api.ProblemMediaType, "The body must be application/json."))
		return "", false
	}
	var body struct {
		Token string `json:"token"`
	}
	if err := json.UnmarshalRead(io.LimitReader(r.Body, maxBody), &body, json.RejectUnknownMembers(true)); err != nil || body.Token == "" {
		answer(w, http.StatusUnprocessableEntity, api.ProblemMedia, newProblem(http.StatusUnprocessableEntity, api.ProblemInvalidRequest, `The body must be {"token": "…"} with an API token.`))
		return "", false
	}
	return body.Token, true
}

// signOut ends the session of the browser.
func (s *Sessions) signOut(w http.ResponseWriter, r *http.Request) {
	if !sentByPage(r) {
		answer(w, http.StatusUnsupportedMediaType, api.ProblemMedia, newProblem(http.StatusUnsupportedMediaType, api.ProblemMediaType, capitalised(ErrMediaType.Error())))
		return
	}
	c, ok := parseCredential(cookie(r, cookieName))
	if ok {
		found, err := s.find(r.Context(), c)
		if err == nil {
			err = s.end(r.Context(), found)
		}
		if err != nil && !errors.Is(err, access.ErrRejected) {
			s.answerFailed(w, err)
			return
		}
		if err == nil {
			s.options.Logger.Info().Str("session", found.ID).Str("principal", found.Grant.Principal().RecordID()).Msg("signed out of the console")
		}
	}
	setCookie(w, r, sessionCookie(""), 0)
	w.WriteHeader(http.StatusNoContent)
}

// counted counts an attempt to sign in, and tells of those that failed.
func (s *Sessions) counted(how How, err error) {
	what := signedIn
	switch {
	case errors.Is(err, access.ErrRejected):
		what = refused
		s.options.Repeats.Line(zerolog.WarnLevel, "sign-in refused: "+string(how), func(e *zerolog.Event) { e.Err(err).Str("how", string(how)).Msg("sign-in to the console refused") })
	case err != nil:
		what = failed
		s.options.Repeats.Line(zerolog.WarnLevel, "sign-in failed: "+string(how), func(e *zerolog.Event) { e.Err(err).Str("how", string(how)).Msg("sign-in to the console failed") })
	}
	s.metrics.signIns.WithLabelValues(string(how), string(what)).Inc()
}

// answerFailed says that something is out of reach. What it is, is for operators, and counted has told them.
func (s *Sessions) answerFailed(w http.ResponseWriter, err error) {
	s.options.Repeats.Line(zerolog.WarnLevel, "sessions", func(e *zerolog.Event) { e.Err(err).Msg("session of the console not verified") })
	w.Header().Set("Retry-After", "1")
	answer(w, http.StatusServiceUnavailable, api.ProblemMedia, newProblem(http.StatusServiceUnavailable, api.ProblemUnavailable, "It cannot be verified now who you are: ask again."))
}
