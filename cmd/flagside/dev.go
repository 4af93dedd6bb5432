package main

import (
	"context"
	"net"
	"strconv"
	"strings"

	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/config"
	"github.com/flagside/flagside/internal/dev"
	"github.com/flagside/flagside/internal/listen"
	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/internal/sidecar/settings"
	"github.com/flagside/flagside/internal/telemetry"
)

func devCommand() commandline.Invocation {
	var o dev.Options
	var compatibility string
	var offset int
	var l commandline.Logging
	set := config.NewSet("flagside dev", "Runs a publisher and a sidecar in one process. The file, or the files of a directory, are what the environment is: save one, and answers change.")
	set.Argument(&o.File, "FILE", "flagd file to serve and to watch, JSON or YAML, or a directory of such files").File()
	settings.Declare(set, &o.Sidecar)
	set.Address(&o.AdminAddr, "admin-addr", publisher.DefaultAdminAddr, "address of the publisher's API")
	set.Address(&o.NATSAddr, "nats-addr", publisher.DefaultNATSAddr, "address of the embedded NATS server, for other sidecars")
	set.Directory(&o.DataDir, "data-dir", "", "directory that keeps the change log across restarts; without it the log is removed at the end")
	set.String(&o.Environment, "environment", dev.DefaultEnvironment, "environment that has the flags of the file")
	set.Choice(&compatibility, "compatibility", "", []string{string(eval.CompatibilityFlagd)}, "compatibility mode of the file; without it flagside's own rules")
	set.Int(&offset, "port-offset", 0, "number to add to each port, to run several at once; port 0 and sockets are unchanged")
	l.Declare(set, telemetry.FormatConsole)

	complete := func(t commandline.Terminal) dev.Options {
		o := o
		o.Compatibility = eval.Compatibility(compatibility)
		o.Sidecar.Version = telemetry.Version()
		o.Out = t.Stdout
		for _, addr := range []*string{
			&o.AdminAddr, &o.NATSAddr, &o.Sidecar.OFREPAddr, &o.Sidecar.FlagdAddr, &o.Sidecar.FlagdSyncAddr, &o.Sidecar.ManagementAddr,
		} {
			all := listen.Addresses(*addr)
			for i, one := range all {
				all[i] = movedBy(one, offset)
			}
			*addr = strings.Join(all, ",")
		}
		return o
	}
	return commandline.Invocation{
		Set:   set,
		Check: func() error { return complete(commandline.Terminal{}).Validate() },
		Run: func(ctx context.Context, t commandline.Terminal) error {
			o := complete(t)
			var err error
			if o.Logger, err = l.Logger(t.Stderr); err != nil {
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

// movedBy adds an offset to the port of an address that has one. What comes out of it is validated with the other options.
func movedBy(addr string, offset int) string {
	host, port, err := net.SplitHostPort(addr)
	number, numberErr := strconv.Atoi(port)
	if err != nil || numberErr != nil || number == 0 || strings.HasPrefix(addr, "unix:") {
		return addr
	}
	return net.JoinHostPort(host, strconv.Itoa(number+offset))
}
