package publisher

import (
	"context"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flagside/flagside/internal/publisher/admin"
	"github.com/flagside/flagside/internal/publisher/live"
	"github.com/flagside/flagside/internal/publisher/session"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/bucket"
)

// newSessions returns the sessions of the console, nil if there is none.
func (p *Publisher) newSessions(registry prometheus.Registerer) (*session.Sessions, error) {
	if p.options.ConsoleOff {
		return nil, nil //nolint:nilnil // there is no console
	}
	return session.New(session.Options{
		Authenticator: p.gate.authenticator, Keyring: p.keys.Keyring(), Signer: p.keys.Current(), Client: admin.ClientOf, Metrics: registry,
		Logger: p.logger, Repeats: p.repeats,
	})
}

// authenticator returns what finds out who sends a request.
func (p *Publisher) authenticator() admin.Authenticator {
	if p.sessions == nil {
		return p.gate.authenticator
	}
	return p.sessions
}

// console returns what is served below /console/: who is signed in, what happens, and the pages.
func (p *Publisher) console(api admin.Options) (http.Handler, error) {
	streams, err := live.New(live.Options{
		Control: p.environments.Control, Authenticate: p.sessions.Authenticate, MayRead: admin.MayRead(api), Stream: admin.Stream,
	}, p.stopping)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	own := p.sessions.Handler()
	for _, path := range session.Paths() {
		mux.Handle(path, own)
	}
	mux.Handle("/console/events", streams)
	if p.options.ConsolePages != nil {
		mux.Handle(session.Home, p.options.ConsolePages)
	}
	return session.WithPolicy(mux), nil
}

// keepSessions keeps the sessions of the console until ctx ends.
func (p *Publisher) keepSessions(ctx context.Context, conn *flagsync.Conn) error {
	return p.sessions.Run(ctx, func(ctx context.Context) (session.Store, error) {
		opened, err := bucket.Open(ctx, conn, bucket.Options{
			Stream: flagsync.SessionsStream, Subject: flagsync.SessionsSubject, Replicas: p.options.Replicas,
			Values: session.MaxSessions, ValueBytes: session.MaxBytes,
		})
		if err != nil {
			return nil, err
		}
		return opened, nil
	})
}

// ConsoleLink returns the address at which a browser on this machine is signed in, once and within an hour, as the holder of a token. It is empty if there
// is no console.
func (p *Publisher) ConsoleLink(token string) string {
	if p.sessions == nil {
		return ""
	}
	return "http://" + p.AdminAddr().String() + session.EnterPath + "?code=" + p.sessions.NewCode(token)
}
