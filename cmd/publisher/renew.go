package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/flagside/flagside/internal/config"
	"github.com/flagside/flagside/internal/publisher/admin"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/changelog"
)

func recreateCommand() command {
	var address, name string
	set := config.NewSet("publisher environment recreate", "Writes what a running publisher knows of an environment as a new epoch of its log, "+
		"whatever has become of that. Streams that are gone are made anew.")
	set.Argument(&name, "NAME", "name of the environment")
	declareAdmin(set, &address)
	return command{
		set:   set,
		check: func() error { return flagsync.ValidateEnvironment(name) },
		run: func(ctx context.Context, t terminal) error {
			client, err := admin.NewClient(address)
			if err != nil {
				return err
			}
			e, err := client.RecreateEnvironment(ctx, name)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(t.stdout, "environment %s is recreated with %d flags at revision %s\n", name, e.Flags, e.Revision)
			return err
		},
	}
}

func restoreCommand() command {
	var address, file, name string
	set := config.NewSet("publisher restore", "Writes a snapshot as a new epoch of an environment, which has nothing but its documents then.")
	set.Argument(&file, "FILE", "snapshot to restore, such as a sidecar keeps in its data directory")
	set.String(&name, "environment", "", "environment that the snapshot is of")
	declareAdmin(set, &address)
	return command{
		set: set,
		check: func() error {
			if name == "" {
				return errors.New("say with --environment which environment is restored")
			}
			return flagsync.ValidateEnvironment(name)
		},
		run: func(ctx context.Context, t terminal) error {
			client, err := admin.NewClient(address)
			if err != nil {
				return err
			}
			snapshot, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			if !changelog.IsSnapshot(snapshot) {
				return fmt.Errorf("%s is not a snapshot", file)
			}
			e, err := client.RestoreEnvironment(ctx, name, snapshot)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(t.stdout, "environment %s is restored with %d flags at revision %s\n", name, e.Flags, e.Revision)
			return err
		},
	}
}
