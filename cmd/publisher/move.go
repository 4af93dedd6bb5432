package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/config"
	"github.com/flagside/flagside/internal/publisher"
)

func moveCommand() commandline.Invocation {
	var from, to publisher.Options
	set := config.NewSet("publisher move", "Copies everything that publishers store to another place: from the data directory of a publisher to a NATS server or cluster, or back to a new "+
		"data directory. Stop all publishers first. Everything is proved before it is copied and compared afterwards. Sidecars that connect to the new place go on where they are. "+
		"Run it again if it is interrupted.")
	set.String(&to.NATS, "to", "", "URL of the NATS server to move to, or several separated by commas").OnlyOnCommandLine()
	set.Directory(&to.DataDir, "to-data-dir", "", "data directory to move to, instead of --to; it must not have streams").OnlyOnCommandLine()
	set.File(&to.NATSNKey, "to-nats-nkey", "", "file with the seed of a NATS user for the server at --to").OnlyOnCommandLine()
	set.File(&to.NATSCredentials, "to-nats-creds", "", "file with NATS credentials for the server at --to, instead of --to-nats-nkey").OnlyOnCommandLine()
	set.File(&to.NATSCA, "to-nats-ca", "", "PEM file with CA certificates for the server at --to").OnlyOnCommandLine()
	set.File(&to.NATSCertificate, "to-nats-cert", "", "PEM file with the certificate of the publisher for the server at --to").OnlyOnCommandLine()
	set.File(&to.NATSCertificateKey, "to-nats-key", "", "PEM file with the key of --to-nats-cert").OnlyOnCommandLine()
	set.String(&to.NATSDomain, "to-nats-domain", "", "JetStream domain of the change logs at --to, if that server has no flagside accounts").OnlyOnCommandLine()
	set.Bool(&to.NATSInsecure, "to-nats-insecure", false, "connect to --to beyond loopback without TLS").OnlyOnCommandLine()
	set.Int(&to.Replicas, "to-replicas", 1, "servers of the cluster at --to that keep a copy of each change log, 1 to 5").OnlyOnCommandLine()
	declareStreams(set, &from)
	return commandline.Invocation{
		Set: set, Changes: true,
		Check: func() error {
			switch {
			case from.DataDir == "" && from.NATS == "":
				return errors.New("say where the streams are: give the publisher's --data-dir, or --nats and --keys")
			case (to.NATS == "") == (to.DataDir == ""):
				return errors.New("say where they go: --to URL, or --to-data-dir DIR")
			case from.DataDir != "" && to.DataDir != "":
				return errors.New("from one data directory to another needs no move: copy the directory while the publisher is stopped")
			}
			return nil
		},
		Run: func(ctx context.Context, t commandline.Terminal) error {
			from.Logger, to.Logger = zerolog.Nop(), zerolog.Nop() // the error says it
			done, err := publisher.Move(ctx, from, to)
			if err != nil {
				return err
			}
			return printMoved(t.Stdout, done, to)
		},
	}
}

// printMoved says what was moved, and what is left to do.
func printMoved(out io.Writer, done publisher.Moved, to publisher.Options) error {
	lines := []string{"moved installation " + done.Installation}
	for _, s := range done.Streams {
		lines = append(lines, streamLine(s))
	}
	for _, w := range done.Warnings {
		lines = append(lines, "warning: "+w)
	}
	lines = append(lines, "everything was proved and compared")
	if to.NATS != "" {
		lines = append(lines,
			fmt.Sprintf("start publishers with --nats, --keys with the files in %s, and --replicas %d; give sidecars the new address", done.KeysDir, max(to.Replicas, 1)))
	} else {
		lines = append(lines, fmt.Sprintf("start the publisher with --data-dir %s and --keys %s; give sidecars the new address", to.DataDir, done.KeysDir),
			fmt.Sprintf("users of the embedded NATS server stand in %s there: flagside credentials makes the file", publisher.NATSUsersFile))
	}
	if done.Left != "" {
		lines = append(lines, fmt.Sprintf("no publisher starts in %s any more: keep it until you have a backup of the new place", done.Left))
	} else {
		lines = append(lines, "start no publisher on the old server any more: delete its streams once you have a backup of the new place")
	}
	_, err := fmt.Fprintln(out, strings.Join(lines, "\n"))
	return err
}
