package main

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/flagside/flagside/internal/config"
	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/internal/publisher/admin"
	flagsync "github.com/flagside/flagside/sync"
)

// declareAdmin declares the option that says where the publisher is.
func declareAdmin(set *config.Set, p *string) {
	set.String(p, "admin", "http://"+publisher.DefaultAdminAddr, "address of the publisher's API")
}

func createCommand() command {
	var address, name, compatibility string
	set := config.NewSet("publisher environment create", "Creates an environment.")
	set.Argument(&name, "NAME", "name of the environment: a DNS label in lower case that begins with a letter")
	declareAdmin(set, &address)
	declareCompatibility(set, &compatibility, "whose strictness its flags follow; without it, that of the publisher")
	return command{
		set:   set,
		check: func() error { return flagsync.ValidateEnvironment(name) },
		run: func(ctx context.Context, t terminal) error {
			client, err := admin.NewClient(address)
			if err != nil {
				return err
			}
			if _, err := client.CreateEnvironment(ctx, name, compatibility); err != nil {
				return err
			}
			_, err = fmt.Fprintf(t.stdout, "environment %s is created\n", name)
			return err
		},
	}
}

func archiveCommand() command {
	var address, name string
	set := config.NewSet("publisher environment archive", "Takes an environment out of use. Its log stays.")
	set.Argument(&name, "NAME", "name of the environment")
	declareAdmin(set, &address)
	return command{
		set: set,
		run: func(ctx context.Context, t terminal) error {
			client, err := admin.NewClient(address)
			if err != nil {
				return err
			}
			if _, err := client.ArchiveEnvironment(ctx, name); err != nil {
				return err
			}
			_, err = fmt.Fprintf(t.stdout, "environment %s is archived\n", name)
			return err
		},
	}
}

func listCommand() command {
	var address string
	set := config.NewSet("publisher environment list", "Lists the environments, archived ones too.")
	declareAdmin(set, &address)
	return command{
		set: set,
		run: func(ctx context.Context, t terminal) error {
			client, err := admin.NewClient(address)
			if err != nil {
				return err
			}
			all, err := client.Environments(ctx)
			if err != nil {
				return err
			}
			return printEnvironments(t, all)
		},
	}
}

func printEnvironments(t terminal, all []admin.Environment) error {
	table := tabwriter.NewWriter(t.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NAME\tSTATE\tFLAGS\tREVISION\tCREATED")
	for _, e := range all {
		fmt.Fprintf(table, "%s\t%s\t%d\t%s\t%s\n", e.Name, state(e), e.Flags, e.Revision, e.Created.UTC().Format(time.RFC3339))
	}
	return table.Flush()
}

// state says in a word or two what can be done with an environment.
func state(e admin.Environment) string {
	switch {
	case !e.Archived.IsZero():
		return "archived"
	case e.Refused != "":
		return "writes refused"
	case e.ReadOnly != "":
		return "read-only"
	case e.Revision == "":
		return "starting"
	default:
		return "in use"
	}
}
