package natsserver

import (
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"
	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/config"
	"github.com/flagside/flagside/internal/reload"
	"github.com/flagside/flagside/internal/telemetry"
	flagsync "github.com/flagside/flagside/sync"
)

// authenticator decides who is let in, and gives each client its account and its
// permissions. The users are those of a file, which may change.
type authenticator struct {
	own     ownUser
	file    *reload.File[listedUsers]
	known   atomic.Bool // there is a file of users, or there was one
	guests  bool        // clients in other processes of this machine may come without credentials, unless there are users
	logger  zerolog.Logger
	repeats *telemetry.Repeats // set before the server starts
	ready   chan struct{}      // closed once there are accounts, or never will be

	mu       sync.Mutex          // guards what follows
	accounts *accounts           // nil before they are made
	clients  map[uint64]identity // who is connected, by number of the connection
}

var errNoAccounts = errors.New("the embedded NATS server has not made its accounts")

// identity is who a client has proved to be: a user, the sidecar of an environment
// on this machine, or the own publisher.
type identity struct {
	user        User
	environment string // of a guest: a client without credentials
	inProcess   bool   // it is in this process
	own         bool
	deletes     bool // it may delete streams, and nothing else
}

func newAuthenticator(o Options, own ownUser) *authenticator {
	a := &authenticator{
		own: own, logger: o.Logger,
		// Beyond loopback, a proxy on this machine would make others look like its own.
		guests: config.LoopbackOnly(o.Addr) == nil,
		ready:  make(chan struct{}), clients: make(map[uint64]identity),
	}
	a.file = a.usersFile(o)
	return a
}

// Check implements [server.Authentication].
func (a *authenticator) Check(c server.ClientAuthentication) bool {
	if c.Kind() != server.CLIENT {
		return false
	}
	<-a.ready
	if err := a.admit(c); err != nil {
		a.repeats.Line(zerolog.WarnLevel, "NATS client refused", func(e *zerolog.Event) {
			e.Err(err).Str("address", address(c)).Msg("NATS client refused")
		})
		return false
	}
	return true
}

func address(c server.ClientAuthentication) string {
	if remote := c.RemoteAddress(); remote != nil {
		return remote.String()
	}
	return ""
}

// admit lets a client in, or returns why not. Who is known is remembered under
// the lock, so that a user that is removed meanwhile is found and cut off.
func (a *authenticator) admit(c server.ClientAuthentication) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.accounts == nil {
		return errNoAccounts
	}
	who, err := a.identify(c)
	if err != nil {
		return err
	}
	user, err := a.serverUser(who)
	if err != nil {
		return err
	}
	c.RegisterUser(user)
	a.clients[c.GetID()] = who
	return nil
}

// identify finds out who a client is.
func (a *authenticator) identify(c server.ClientAuthentication) (identity, error) {
	o, local := c.GetOpts(), isLocal(c.RemoteAddress())
	switch {
	case o.Nkey != "":
		user, known := a.file.Current().byNKey[o.Nkey]
		if !known {
			return identity{}, fmt.Errorf("the NKey %.60q belongs to no NATS user: make credentials with \"flagside credentials add\"", o.Nkey)
		}
		return identity{user: user}, verify(o, c.GetNonce())
	case local == inProcess && (o.Username == a.own.name || o.Username == a.own.deleting):
		if subtle.ConstantTimeCompare([]byte(o.Password), []byte(a.own.password)) != 1 {
			return identity{}, errors.New("this is not the password of the own publisher")
		}
		deletes := o.Username == a.own.deleting
		return identity{own: !deletes, deletes: deletes, inProcess: true}, nil
	case local != inProcess && (local == remote || a.known.Load() || !a.guests):
		return identity{}, errors.New("it has no NKey: make credentials with \"flagside credentials add\"")
	case o.Password != "" || o.Token != "" || o.JWT != "":
		return identity{}, errors.New("it has credentials that are not known here: on this machine it needs none, only the name of its environment as user name")
	case o.Username == "":
		return identity{}, errors.New("it does not say which environment it follows: without credentials the user name must be the environment and the password empty")
	}
	if err := flagsync.ValidateEnvironment(o.Username); err != nil {
		return identity{}, fmt.Errorf("without credentials the user name must be an environment: %w", err)
	}
	return identity{environment: o.Username, inProcess: local == inProcess}, nil
}

// verify reports whether the client has signed the nonce with its NKey.
func verify(o *server.ClientOpts, nonce []byte) error {
	signature, err := base64.RawURLEncoding.DecodeString(o.Sig)
	if err != nil {
		return errors.New("the signature of its NKey cannot be read")
	}
	key, err := nkeys.FromPublicKey(o.Nkey)
	if err != nil {
		return fmt.Errorf("NKey: %w", err)
	}
	if len(nonce) == 0 || key.Verify(nonce, signature) != nil {
		return errors.New("the signature is not that of its NKey")
	}
	return nil
}

// serverUser returns the account and the permissions of a client.
func (a *authenticator) serverUser(who identity) (*server.User, error) {
	switch {
	case who.own:
		return &server.User{
			Username: a.own.name, Account: a.accounts.publishers, Permissions: serverPermissions(flagsync.PublisherPermissions()),
		}, nil
	case who.deletes:
		return &server.User{Username: a.own.deleting, Account: a.accounts.nats.GlobalAccount(), Permissions: serverPermissions(deletingPermissions())}, nil
	case who.user.Role == RolePublisher:
		return &server.User{
			Username: who.user.Name, Account: a.accounts.publishers, Permissions: serverPermissions(who.user.permissions()),
		}, nil
	}
	user, guest := who.user, who.environment != ""
	if guest {
		user = User{Name: who.environment, Role: RoleSidecar, Environments: []string{who.environment}}
	}
	account, err := a.accounts.ofSidecars(user.Environments[0], guest)
	if err != nil {
		return nil, err
	}
	return &server.User{Username: user.Name, Account: account, Permissions: serverPermissions(user.permissions())}, nil
}

func serverPermissions(p flagsync.Permissions) *server.Permissions {
	return &server.Permissions{
		Publish:   &server.SubjectPermission{Allow: p.Publish, Deny: p.DenyPublish},
		Subscribe: &server.SubjectPermission{Allow: p.Subscribe},
	}
}

// locality says how far away a client is.
type locality int

const (
	remote    locality = iota // on another machine
	loopback                  // in another process of this machine
	inProcess                 // in this process
)

func isLocal(address net.Addr) locality {
	switch address := address.(type) {
	case *net.TCPAddr:
		if address.IP.IsLoopback() {
			return loopback
		}
		return remote
	case nil:
		return remote
	}
	if address.Network() == "pipe" {
		return inProcess
	}
	return remote
}

// open lets clients in that wait for accounts.
func (a *authenticator) open(made *accounts) {
	a.mu.Lock()
	a.accounts = made
	a.allowEnvironments()
	a.mu.Unlock()
	close(a.ready)
}

func (a *authenticator) allow(environment string) error {
	a.mu.Lock()
	made := a.accounts
	a.mu.Unlock()
	if made == nil {
		return errNoAccounts
	}
	return made.allow(environment)
}

// allowEnvironments lets publishers create the streams of the environments that users are for.
func (a *authenticator) allowEnvironments() {
	if a.accounts == nil {
		return
	}
	for _, user := range a.file.Current().byNKey {
		for _, environment := range user.Environments {
			if err := a.accounts.allow(environment); err != nil {
				a.logger.Error().Err(err).Str("environment", environment).Msg("environment not created")
			}
		}
	}
}
