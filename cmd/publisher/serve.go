package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/config"
	"github.com/flagside/flagside/internal/inflight"
	"github.com/flagside/flagside/internal/listen"
	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/console"
	"github.com/flagside/flagside/internal/publisher/control"
	"github.com/flagside/flagside/internal/publisher/following"
	"github.com/flagside/flagside/internal/systemd"
	"github.com/flagside/flagside/internal/telemetry"
)

func serveCommand() commandline.Invocation {
	var o publisher.Options
	var compatibility string
	var sources []string
	var l commandline.Logging
	set := config.NewSet("publisher serve", "Keeps the change logs of environments and serves the API that changes them.")
	declareStreams(set, &o)
	set.Address(&o.NATSAddr, "nats-addr", publisher.DefaultNATSAddr,
		"address of the embedded NATS server, for sidecars; beyond loopback it needs users, --nats-cert and --nats-key")
	set.File(&o.CheckpointFile, "checkpoint-file", "",
		"file to append signed checkpoints of all streams to; put it on another volume than the streams; without it none are written")
	set.Duration(&o.CheckpointInterval, "checkpoint-interval", publisher.DefaultCheckpointInterval, "how often to check whether the streams have grown and need a checkpoint")
	withConsole := true
	declareAPI(set, &o, &withConsole)
	inFlight := 0 // KiB
	storage := 0  // MiB
	set.Int(&storage, "usage-storage", publisher.DefaultUsageBytes>>20,
		"storage limit for the counts of evaluations of each environment, in MiB; the oldest go when it is used up; 0 keeps none")
	set.File(&o.UsageSinks, "usage-sinks", "", "file with sinks of usage, JSON or YAML (docs/usage.md); reloaded when it changes; without it usage is not exported")
	set.Int(&inFlight, "in-flight-memory", inflight.Default>>10,
		"memory limit for API requests in flight and their answers, in KiB; requests above it get 503")
	set.Int(&o.MaxEvaluationWork, "max-evaluation-work", eval.DefaultMaxWork,
		"most rule nodes that one evaluation may visit; documents that need more are refused; give sidecars the same value")
	set.Choice(&compatibility, "compatibility", "", []string{string(eval.CompatibilityFlagd)}, "compatibility of new environments, unless given when they are created")
	set.List(&sources, "source", nil,
		"ENVIRONMENT=PATH of a file or directory, or ENVIRONMENT=kubernetes:NAMESPACE of FeatureFlag objects, that the environment follows; may be repeated")
	declareKubernetes(set, &o.Kubernetes)
	l.Declare(set, telemetry.FormatJSON)

	complete := func() publisher.Options {
		o := o
		o.Sources, _ = following.ParseSpecs(sources)                 // which Check has done
		if o.NATS != "" && o.NATSAddr == publisher.DefaultNATSAddr { // which a printed configuration names, too
			o.NATSAddr = ""
		}
		if o.AdminTokenFile == "" && o.DataDir != "" {
			o.AdminTokenFile = filepath.Join(o.DataDir, publisher.AdminTokenFile)
		}
		if o.AdminTokenFile == listen.Off {
			o.AdminTokenFile = ""
		}
		o.ConsoleOff, o.ConsolePages = !withConsole, console.Handler()
		o.Compatibility = eval.Compatibility(compatibility)
		if o.UsageBytes = int64(storage) << 20; o.UsageBytes == 0 {
			o.UsageBytes = -1
		}
		if o.InFlight = int64(inFlight) << 10; o.InFlight == 0 {
			o.InFlight = 1 // which is too little, and not the default
		}
		return o
	}
	return commandline.Invocation{
		Serves: true,
		Set:    set,
		Check: func() error {
			if _, err := following.ParseSpecs(sources); err != nil {
				return fmt.Errorf("--source: %w", err)
			}
			return complete().Validate()
		},
		Try: func(ctx context.Context) error { return publisher.Check(ctx, complete()) },
		Run: func(ctx context.Context, t commandline.Terminal) error {
			o, err := withAPIServer(complete(), t.Environ)
			if err != nil {
				return err
			}
			if o.Logger, err = l.Logger(t.Stderr); err != nil {
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
			if err := systemd.Ready(config.Lookup(t.Environ)); err != nil {
				o.Logger.Warn().Err(err).Msg("service manager not notified of the start")
			}
			return p.Run(ctx)
		},
	}
}

// withAPIServer returns options that say where the API server of Kubernetes is, if one of the sources is a namespace.
func withAPIServer(o publisher.Options, environ []string) (_ publisher.Options, err error) {
	if slices.ContainsFunc(o.Sources, func(s following.Spec) bool { return s.Namespace != "" }) {
		if o.Kubernetes, err = apiServer(o.Kubernetes, environ); err != nil {
			return o, fmt.Errorf("--source with a namespace: %w", err)
		}
	}
	return o, nil
}

// declareStreams declares where the streams are, and the keys that sign what is in them.
func declareStreams(set *config.Set, o *publisher.Options) {
	set.Directory(&o.DataDir, "data-dir", "", "directory of the embedded NATS server; required unless --nats is given")
	set.Directory(&o.KeysDir, "keys", "",
		"directory of the keys, created by publisher keys init; reloaded when it changes; default: --data-dir, where the first start creates them; required with --nats")
	set.File(&o.NATSUsers, "nats-users", "",
		"file with the users of the embedded NATS server, written by flagside credentials; reloaded when it changes; default: "+
			publisher.NATSUsersFile+" in --data-dir; until that exists, sidecars on this machine need no credentials")
	set.String(&o.NATS, "nats", "", "URL of a NATS server, or several separated by commas, to use instead of the embedded one")
	set.String(&o.NATSDomain, "nats-domain", "", "JetStream domain of the embedded NATS server, or of the change logs at --nats if that server has no flagside accounts")
	set.Bool(&o.NATSInsecure, "nats-insecure", false, "connect to --nats beyond loopback without TLS; anyone on the network path can then read everything and change what is not signed")
	set.File(&o.NATSCredentials, "nats-creds", "", "file with NATS credentials for the server at --nats; without it none are sent")
	set.File(&o.NATSNKey, "nats-nkey", "", "file with the seed of a NATS user for the server at --nats, instead of --nats-creds")
	set.File(&o.NATSCertificate, "nats-cert", "", "PEM file with the certificate of the embedded NATS server, or of the publisher for the server at --nats")
	set.File(&o.NATSCertificateKey, "nats-key", "", "PEM file with the key of --nats-cert")
	set.File(&o.NATSCA, "nats-ca", "",
		"PEM file with CA certificates: with the embedded NATS server, every client needs a certificate from one of them; with --nats, for the server")
	set.Int(&o.Replicas, "replicas", 1, "servers of the cluster at --nats that keep a copy of each change log, 1 to 5")
}

// declareAPI declares where the API listens, and who may use it.
func declareAPI(set *config.Set, o *publisher.Options, withConsole *bool) {
	set.Address(&o.AdminAddr, "admin-addr", publisher.DefaultAdminAddr, "address of the API; beyond loopback it needs --admin-cert and --admin-key")
	set.List(&o.Hosts, "allowed-host", nil,
		"host name (without port) that API requests may use besides localhost and loopback addresses, or * for any; may be repeated; "+
			"without it only an API on loopback checks the name")
	set.File(&o.AdminCertificate, "admin-cert", "", "PEM file with the certificate of the API; without it the API has no TLS")
	set.File(&o.AdminKey, "admin-key", "", "PEM file with the key of --admin-cert")
	set.File(&o.AdminTokenFile, "admin-token-file", "",
		"file with an administrator token, created if it does not exist; default: "+publisher.AdminTokenFile+
			" in --data-dir, none with --nats; off: none")
	set.Duration(&o.TokenLifetime, "token-lifetime", access.DefaultTokenLifetime, "longest lifetime of an API token, from its creation")
	set.File(&o.Issuers, "issuers", "", "JSON file with the OpenID Connect issuers whose tokens are accepted, and by one of which people sign in to the console; without it none are")
	set.Bool(withConsole, "console", true, "serve the console, sessions of people who sign in to it included, at /console/ of the API's address")
	set.File(&o.Policy, "policy", "", "file with Cedar policies; reloaded when it changes; without it the default policy")
	set.File(&o.Webhooks, "webhooks", "", "file with webhooks, JSON or YAML (docs/webhooks.md); reloaded when it changes; without it none are called")
	set.Int(&o.OpenRequests, "open-requests", publisher.DefaultOpenRequests, "most open change requests of one author in an environment")
	set.Int(&o.LedgerBytes, "ledger-bytes", control.DefaultLedgerBytes, "most bytes of change requests and comments that one author may write per day and environment")
	set.Bool(&o.AnonymousReads, "anonymous-reads", false, "let requests without a token read all environments")
}
