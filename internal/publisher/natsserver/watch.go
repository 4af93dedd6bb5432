package natsserver

import (
	"context"
	"errors"
	"maps"
	"os"
	"reflect"
	"time"
)

// usersPoll is how often the file of users is looked at.
const usersPoll = time.Second

// usersFile is where the users are. One that is optional need not be there; until
// it is, clients on this machine need no credentials.
type usersFile struct {
	path     string
	optional bool
}

func (o Options) users() usersFile { return usersFile{o.UsersFile, o.UsersOptional} }

// watch keeps the users up to date until ctx ends. Clients that are no users any
// more are cut off, and no others.
func (a *authenticator) watch(ctx context.Context) {
	poll := time.NewTicker(usersPoll)
	defer poll.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-poll.C:
		}
		a.load()
	}
}

// load reads the file of users. While it cannot be used, the former users stay in
// force; before there were any, only the own publisher is let in.
func (a *authenticator) load() {
	var listed []User
	var err error
	if a.file.path != "" {
		listed, err = ReadUsers(a.file.path)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	defer a.cutOff()
	if a.file.path == "" || a.file.optional && !a.known && errors.Is(err, os.ErrNotExist) {
		return
	}
	if err != nil {
		if a.problem == nil || a.problem.Error() != err.Error() {
			a.logger.Error().Err(err).Msg("file of NATS users refused, the former users stay in force")
		}
		a.known, a.problem = true, err
		return
	}
	users := make(map[string]User, len(listed))
	for _, u := range listed {
		users[u.NKey] = u
	}
	if !a.known || a.problem != nil || !maps.EqualFunc(a.users, users, equal) {
		a.logger.Info().Int("users", len(users)).Msg("file of NATS users reloaded")
	}
	a.users, a.known, a.problem = users, true, nil
	a.allowEnvironments()
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
		return !a.known || who.inProcess
	default:
		now, known := a.users[who.user.NKey]
		return known && equal(now, who.user)
	}
}

// failure returns why the newest file of users is not in force, or nil.
func (a *authenticator) failure() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.problem
}
