package main

import (
	"context"

	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/config"
	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/internal/telemetry"
)

func serveCommand() command {
	var o publisher.Options
	var compatibility string
	var l logging
	set := config.NewSet("publisher serve", "Keeps the change logs of environments and serves the API that changes them.")
	set.String(&o.DataDir, "data-dir", "", "directory of the embedded NATS server; required unless --nats is given")
	natsAddr := set.Address(&o.NATSAddr, "nats-addr", publisher.DefaultNATSAddr,
		"address of the embedded NATS server, for sidecars; beyond loopback it needs --nats-users, --nats-cert and --nats-key")
	set.String(&o.NATSUsers, "nats-users", "",
		"file with the users of the embedded NATS server, which publisher credentials writes; read again when it changes; without it everybody is let in")
	set.String(&o.NATS, "nats", "", "URL of a NATS server, or several separated by commas, to use instead of the embedded one")
	set.String(&o.NATSDomain, "nats-domain", "", "JetStream domain of the change logs")
	set.String(&o.NATSCredentials, "nats-creds", "", "file with NATS credentials for the server at --nats; without it none are sent")
	set.String(&o.NATSNKey, "nats-nkey", "", "file with the seed of a NATS user for the server at --nats, in place of --nats-creds")
	set.String(&o.NATSCertificate, "nats-cert", "", "PEM file with the certificate of the embedded NATS server, or of the publisher for the server at --nats")
	set.String(&o.NATSCertificateKey, "nats-key", "", "PEM file with the key of --nats-cert")
	set.String(&o.NATSCA, "nats-ca", "",
		"PEM file with those who vouch for clients of the embedded NATS server, which all need a certificate then, or for the server at --nats")
	set.Int(&o.Replicas, "replicas", 1, "servers of the cluster at --nats that keep a copy of each change log, 1 to 5")
	set.Address(&o.AdminAddr, "admin-addr", publisher.DefaultAdminAddr, "address of the API; on loopback only, because nobody is asked who they are")
	declareCompatibility(set, &compatibility, "whose strictness new environments follow, unless their creation says")
	l.declare(set, telemetry.FormatJSON)

	complete := func() publisher.Options {
		o := o
		if o.NATS != "" && !natsAddr.Given() {
			o.NATSAddr = ""
		}
		o.Compatibility = eval.Compatibility(compatibility)
		return o
	}
	return command{
		set:   set,
		check: func() error { return complete().Validate() },
		run: func(ctx context.Context, t terminal) error {
			o := complete()
			var err error
			if o.Logger, err = l.logger(t); err != nil {
				return err
			}
			stop, err := observe(ctx, t, &o)
			if err != nil {
				return err
			}
			defer stop()
			p, err := publisher.New(o)
			if err != nil {
				return err
			}
			return p.Run(ctx)
		},
	}
}
