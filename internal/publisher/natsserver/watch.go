package natsserver

import (
	"context"
	"errors"
	"maps"
	"os"
	"reflect"
	"time"

	"github.com/flagside/flagside/internal/lifecycle"
	"github.com/flagside/flagside/internal/reload"
)

// usersPoll is how often the file of users is looked at.
const usersPoll = time.Second

// listedUsers are the users of the file.
type listedUsers struct {
	byNKey map[string]User
	read   bool // there is a file
}

// usersFile returns the file of users, which is not read yet: until it is, only the own publisher is let in. One that is optional need not be there; until
// it is, clients on this machine need no credentials.
func (a *authenticator) usersFile(o Options) *reload.File[listedUsers] {
	load := func() (listedUsers, error) {
		if o.UsersFile == "" {
			return listedUsers{}, nil
		}
		listed, err := ReadUsers(o.UsersFile)
		if o.UsersOptional && !a.known.Load() && errors.Is(err, os.ErrNotExist) {
			return listedUsers{}, nil
		}
		a.known.Store(true)
		if err != nil {
			return listedUsers{}, err
		}
		users := listedUsers{byNKey: make(map[string]User, len(listed)), read: true}
		for _, u := range listed {
			users.byNKey[u.NKey] = u
		}
		return users, nil
	}
	return reload.New(reload.Options[listedUsers]{
		Subject: "the file of NATS users", Interval: usersPoll, Load: load, Logger: o.Logger.With().Str("file", o.UsersFile).Logger(),
		Equal: func(a, b listedUsers) bool { return a.read == b.read && maps.EqualFunc(a.byNKey, b.byNKey, equal) },
	}, listedUsers{})
}

// watch keeps the users up to date until ctx ends. Clients that are no users any
// more are cut off, and no others.
func (a *authenticator) watch(ctx context.Context) {
	_ = lifecycle.Every(ctx, usersPoll, func(context.Context) { a.load() }) // always nil
}

// load reads the file of users. While it cannot be used, the former users stay in force.
func (a *authenticator) load() {
	a.file.Look()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.allowEnvironments()
	a.cutOff()
}

func equal(a, b User) bool { return reflect.DeepEqual(a, b) }

// cutOff disconnects clients that would not be let in as they were, and forgets
// those that have gone.
func (a *authenticator) cutOff() {
	if a.accounts == nil {
		return
	}
	nats := a.accounts.nats
	for id, who := range a.clients {
		if nats.GetClient(id) == nil {
			delete(a.clients, id)
			continue
		}
		if a.stillKnown(who) {
			continue
		}
		delete(a.clients, id)
		if err := nats.DisconnectClientByID(id); err == nil {
			a.logger.Info().Str("user", who.user.Name).Msg("NATS client disconnected: its user was removed")
		}
	}
}

// stillKnown reports whether a client would be let in as it was.
func (a *authenticator) stillKnown(who identity) bool {
	switch {
	case who.own:
		return true
	case who.environment != "":
		return !a.known.Load() || who.inProcess
	default:
		now, known := a.file.Current().byNKey[who.user.NKey]
		return known && equal(now, who.user)
	}
}
