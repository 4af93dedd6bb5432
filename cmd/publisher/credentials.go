package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/flagside/flagside/internal/config"
	"github.com/flagside/flagside/internal/publisher/natsserver"
)

// declareUsers declares the option that names the file of NATS users.
func declareUsers(set *config.Set, p *string) {
	set.String(p, "nats-users", "", "file with the NATS users, as publisher serve reads it").Require()
}

func credentialsCreateCommand() command {
	var user natsserver.User
	var role, file, seedFile string
	set := config.NewSet("publisher credentials create", "Makes a NATS user for a sidecar or a publisher: its seed, which is the secret, "+
		"goes to a file of its own, its public key and role to the file of NATS users. A running embedded server takes it in within seconds.")
	set.Argument(&user.Name, "NAME", "name of the user, for people")
	set.Choice(&role, "role", string(natsserver.RoleSidecar), []string{string(natsserver.RoleSidecar), string(natsserver.RolePublisher)},
		"what the user is for, which decides on its permissions")
	set.List(&user.Environments, "environment", nil,
		"environment that a sidecar follows, or environments whose old snapshots a publisher may remove, all if none is named")
	set.String(&user.Inbox, "nats-inbox-prefix", "", "inbox prefix of a sidecar; without it _SC.<environment>, which sidecars have by default")
	declareUsers(set, &file)
	set.String(&seedFile, "seed-file", "", "file to write the seed to, for --nats-nkey; it must not exist").Require()
	return command{
		set: set,
		check: func() error {
			if role == string(natsserver.RoleSidecar) && len(user.Environments) != 1 {
				return errors.New("say with --environment which one environment the sidecar follows")
			}
			return nil
		},
		run: func(_ context.Context, t terminal) error {
			user := user
			user.Role = natsserver.Role(role)
			if err := createUser(file, seedFile, user); err != nil {
				return err
			}
			_, err := fmt.Fprintf(t.stdout, "user %s is in %s; its seed is in %s: move it to where --nats-nkey reads it, and keep no copy\n",
				user.Name, file, seedFile)
			return err
		},
	}
}

// createUser writes the seed first: a user whose seed is lost would be of no use.
func createUser(file, seedFile string, user natsserver.User) error {
	users, err := readUsers(file)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(users, func(other natsserver.User) bool { return other.Name == user.Name }) {
		return fmt.Errorf("%s has a user %s: remove it first, or take another name", file, user.Name)
	}
	user, seed, err := natsserver.NewUser(user)
	if err != nil {
		return err
	}
	defer clear(seed)
	out, err := os.OpenFile(seedFile, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("seed: %w", err)
	}
	_, err = out.Write(append(seed, '\n'))
	if err := errors.Join(err, out.Sync(), out.Close()); err != nil {
		return fmt.Errorf("seed: %w", err)
	}
	return natsserver.WriteUsers(file, append(users, user))
}

// readUsers reads a file of users; one that does not exist has none.
func readUsers(file string) ([]natsserver.User, error) {
	users, err := natsserver.ReadUsers(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return users, err
}

func credentialsRemoveCommand() command {
	var name, file string
	set := config.NewSet("publisher credentials remove", "Takes a NATS user away. A running embedded server cuts it off within seconds.")
	set.Argument(&name, "NAME", "name of the user")
	declareUsers(set, &file)
	return command{
		set: set,
		run: func(_ context.Context, t terminal) error {
			users, err := natsserver.ReadUsers(file)
			if err != nil {
				return err
			}
			rest := slices.DeleteFunc(slices.Clone(users), func(u natsserver.User) bool { return u.Name == name })
			if len(rest) == len(users) {
				return fmt.Errorf("%s has no user %s", file, name)
			}
			if err := natsserver.WriteUsers(file, rest); err != nil {
				return err
			}
			_, err = fmt.Fprintf(t.stdout, "user %s is removed from %s\n", name, file)
			return err
		},
	}
}

func credentialsConfigCommand() command {
	var file string
	set := config.NewSet("publisher credentials config", "Prints the NATS users and their permissions for the configuration of NATS servers "+
		"that are not embedded.")
	declareUsers(set, &file)
	return command{
		set: set,
		run: func(_ context.Context, t terminal) error {
			users, err := natsserver.ReadUsers(file)
			if err != nil {
				return err
			}
			text, err := natsserver.ServerConfig(users)
			if err != nil {
				return err
			}
			_, err = t.stdout.Write(text)
			return err
		},
	}
}
