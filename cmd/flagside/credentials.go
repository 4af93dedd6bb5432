package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/config"
	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/internal/publisher/natsserver"
)

// usersAt says where the NATS users stand.
type usersAt struct{ file, dataDir string }

func (u *usersAt) declare(set *config.Set) {
	set.File(&u.file, "nats-users", "", "file with the NATS users, as publisher serve reads it; without it "+publisher.NATSUsersFile+" in --data-dir")
	set.Directory(&u.dataDir, "data-dir", "", "data directory of the publisher")
}

// path returns the file of users.
func (u *usersAt) path() string {
	return cmp.Or(u.file, filepath.Join(u.dataDir, publisher.NATSUsersFile))
}

func (u *usersAt) validate() error {
	if u.file == "" && u.dataDir == "" {
		return errors.New("say where the NATS users are: give --data-dir or --nats-users")
	}
	return nil
}

// adding is what "credentials add" is asked for.
type adding struct {
	user  natsserver.User
	role  string
	users usersAt
	files credentialFiles
}

func credentialsAddCommand() commandline.Invocation {
	var a adding
	set := config.NewSet("flagside credentials add", "Makes a NATS user for a sidecar or a publisher, and a directory with its credentials: the "+
		"seed, which is the secret, the root keys to trust, and the CA certificates for the NATS server. sidecar --credentials reads it. "+
		"The file of NATS users gets the public key; a running embedded server lets the user in within two seconds.")
	set.Argument(&a.user.Name, "NAME", "name of the user, for people")
	set.Choice(&a.role, "role", string(natsserver.RoleSidecar), []string{string(natsserver.RoleSidecar), string(natsserver.RolePublisher)},
		"role of the user, which decides its account and permissions")
	set.List(&a.user.Environments, "environment", nil,
		"environment that a sidecar follows, or environments whose streams a publisher may create and whose old snapshots it may remove; without any, all")
	set.String(&a.user.Inbox, "nats-inbox-prefix", "", "inbox prefix of a sidecar; without it _SC.<environment>, which sidecars have by default")
	a.users.declare(set)
	set.File(&a.files.trust, "trust-file", "", "file with the root keys, which is copied; without it trust in --data-dir")
	set.File(&a.files.ca, "ca", "", "PEM file with the CA certificates for the NATS server, which is copied; without it the one of --nats-ca, if there is one")
	set.File(&a.files.natsCA, "nats-ca", "", "PEM file with CA certificates that publisher serve has, as it reads it")
	set.File(&a.files.exposures, "exposure-key", "",
		"file with the environment's key for exposures, which is copied; it is made if it does not exist, and all sidecars of the environment need the same")
	set.Directory(&a.files.out, "out", "", "directory to write the credentials to; it must be empty, or not exist").Require()
	return commandline.Invocation{
		Set: set, Changes: true,
		Check: a.validate,
		Run: func(_ context.Context, t commandline.Terminal) error {
			if err := a.add(); err != nil {
				return err
			}
			_, err := fmt.Fprintf(t.Stdout, "user %s is in %s; its credentials are in %s: move them to where sidecar --credentials reads them, and keep no copy\n",
				a.user.Name, a.users.path(), a.files.out)
			return err
		},
	}
}

func (a *adding) validate() error {
	a.user.Role = natsserver.Role(a.role)
	if a.user.Role == natsserver.RoleSidecar && len(a.user.Environments) != 1 {
		return errors.New("say with --environment which one environment the sidecar follows")
	}
	if a.user.Role != natsserver.RoleSidecar && a.files.exposures != "" {
		return errors.New("--exposure-key is for sidecars: publishers need no key for exposures")
	}
	if a.files.trust == "" && a.users.dataDir == "" {
		return errors.New("say where the root keys are: give --trust-file, or --data-dir with the file trust in it")
	}
	return a.users.validate()
}

// add writes the credentials first: a user whose seed is lost would be of no use.
func (a *adding) add() error {
	users, err := readUsers(a.users.path())
	if err != nil {
		return err
	}
	if slices.ContainsFunc(users, func(other natsserver.User) bool { return other.Name == a.user.Name }) {
		return fmt.Errorf("%s has a user %s: remove it first, or take another name", a.users.path(), a.user.Name)
	}
	user, seed, err := natsserver.NewUser(a.user)
	if err != nil {
		return err
	}
	defer clear(seed)
	if err := a.files.write(seed, a.users.dataDir); err != nil {
		return err
	}
	return natsserver.WriteUsers(a.users.path(), append(users, user))
}

// readUsers reads a file of users; one that does not exist has none.
func readUsers(file string) ([]natsserver.User, error) {
	users, err := natsserver.ReadUsers(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return users, err
}

func credentialsRemoveCommand() commandline.Invocation {
	var name string
	var at usersAt
	set := config.NewSet("flagside credentials remove", "Removes a NATS user. A running embedded server disconnects it within two seconds.")
	set.Argument(&name, "NAME", "name of the user")
	at.declare(set)
	return commandline.Invocation{
		Set: set, Changes: true,
		Check: at.validate,
		Run: func(_ context.Context, t commandline.Terminal) error {
			users, err := natsserver.ReadUsers(at.path())
			if err != nil {
				return err
			}
			rest := slices.DeleteFunc(slices.Clone(users), func(u natsserver.User) bool { return u.Name == name })
			if len(rest) == len(users) {
				return fmt.Errorf("%s has no user %s: name one that is in this file", at.path(), name)
			}
			if err := natsserver.WriteUsers(at.path(), rest); err != nil {
				return err
			}
			_, err = fmt.Fprintf(t.Stdout, "user %s is removed from %s\n", name, at.path())
			return err
		},
	}
}

// The forms of "credentials config".
const (
	formatConfig = "config"
	formatJWT    = "jwt"
)

func credentialsConfigCommand() commandline.Invocation {
	var at usersAt
	var format string
	set := config.NewSet("flagside credentials config", "Prints the accounts, the NATS users and their permissions for NATS servers that are not embedded.")
	at.declare(set)
	set.Choice(&format, "format", formatConfig, []string{formatConfig, formatJWT},
		"config prints a part of the servers' configuration, jwt the nsc commands that make the same accounts where an operator signs them")
	return commandline.Invocation{
		Set:   set,
		Check: at.validate,
		Run: func(_ context.Context, t commandline.Terminal) error {
			users, err := natsserver.ReadUsers(at.path())
			if err != nil {
				return err
			}
			printed := natsserver.ServerConfig
			if format == formatJWT {
				printed = natsserver.JWTCommands
			}
			text, err := printed(users)
			if err != nil {
				return err
			}
			_, err = t.Stdout.Write(text)
			return err
		},
	}
}
