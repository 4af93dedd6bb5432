package main

import (
	"context"

	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/config"
	"github.com/flagside/flagside/internal/dev"
	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/internal/sidecar/settings"
	"github.com/flagside/flagside/internal/telemetry"
)

func devCommand() command {
	var o dev.Options
	var compatibility string
	var l logging
	set := config.NewSet("publisher dev", "Runs a publisher and a sidecar in one process. The file is what the environment is: save it, and answers change.")
	set.Argument(&o.File, "FILE", "flagd file to serve and to watch, JSON or YAML")
	settings.Declare(set, &o.Sidecar)
	set.Address(&o.AdminAddr, "admin-addr", publisher.DefaultAdminAddr, "address of the publisher's API")
	set.Address(&o.NATSAddr, "nats-addr", publisher.DefaultNATSAddr, "address of the embedded NATS server, for other sidecars")
	set.String(&o.DataDir, "data-dir", "", "directory that keeps the change log over a restart; without it, it is removed at the end")
	set.String(&o.Environment, "environment", dev.DefaultEnvironment, "environment that has the flags of the file")
	declareCompatibility(set, &compatibility, "whose strictness the file follows")
	l.declare(set, telemetry.FormatConsole)

	complete := func(t terminal) dev.Options {
		o := o
		o.Compatibility = eval.Compatibility(compatibility)
		o.Sidecar.Version = version()
		o.Out = t.stdout
		return o
	}
	return command{
		set:   set,
		check: func() error { return complete(terminal{}).Validate() },
		run: func(ctx context.Context, t terminal) error {
			o := complete(t)
			var err error
			if o.Logger, err = l.logger(t); err != nil {
				return err
			}
			d, err := dev.New(o)
			if err != nil {
				return err
			}
			return d.Run(ctx)
		},
	}
}
