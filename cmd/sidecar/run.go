package main

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"strconv"

	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/config"
	"github.com/flagside/flagside/internal/inflight"
	"github.com/flagside/flagside/internal/sidecar"
	"github.com/flagside/flagside/internal/sidecar/resolver"
	"github.com/flagside/flagside/internal/sidecar/settings"
	"github.com/flagside/flagside/internal/systemd"
	"github.com/flagside/flagside/internal/telemetry"
)

// The exit codes.
const (
	exitOK            = 0
	exitFailure       = 1 // the sidecar could not start or go on
	exitConfiguration = 2 // what was asked for makes no sense
)

// given is what the option table fills in.
type given struct {
	sidecar       sidecar.Options
	compatibility string
	answersMemory int // KiB
	inFlight      int // KiB
	socketMode    string
	place         place
	reports       bool
	usage         bool
	sample        string
	preview       bool
	logging       commandline.Logging
}

// options returns the option table of the command, which fills in s.
func options(s *given) *config.Set {
	set := config.NewSet("sidecar",
		"Evaluates feature flags next to your application and follows the change log of one environment. The sub-commands healthz and readyz query a "+
			"running sidecar, version prints the version, and completion prints the script that completes options in a shell.")
	o := &s.sidecar
	set.String(&o.Environment, "environment", "", "environment whose flags are evaluated, such as prod").Require()
	set.String(&o.NATS, "nats", "nats://127.0.0.1:4222", "URL of the NATS server, or several separated by commas")
	set.Directory(&o.Credentials, "credentials", "",
		"directory with the credentials created by flagside credentials add; replaces --nats-nkey, --nats-ca, --trust-file and --exposure-key-file")
	set.File(&o.TrustFile, "trust-file", "",
		"file with the root keys of the publisher: copy trust from its data directory; required unless --credentials is given")
	set.String(&o.NATSDomain, "nats-domain", "", "JetStream domain of the change log; needed through a leaf node on servers without flagside's accounts")
	set.Bool(&o.NATSInsecure, "nats-insecure", false, "connect beyond loopback without TLS; anyone on the network path can then read flags and hold back changes")
	set.File(&o.NATSCredentials, "nats-creds", "",
		"file with NATS credentials; reloaded on every connection attempt; without credentials the environment is sent as user name")
	set.File(&o.NATSNKey, "nats-nkey", "", "file with the seed of a NATS user, instead of --nats-creds; reloaded on every connection attempt")
	set.File(&o.NATSCA, "nats-ca", "", "PEM file with CA certificates for the NATS server, instead of the system's; requires TLS")
	set.File(&o.NATSCertificate, "nats-cert", "", "PEM file with the sidecar's own certificate, for NATS servers that ask for one")
	set.File(&o.NATSCertificateKey, "nats-key", "", "PEM file with the key of --nats-cert")
	set.String(&o.NATSInboxPrefix, "nats-inbox-prefix", "",
		"NATS inbox prefix for replies, if your credentials allow only one; default: _SC.<environment>.<random>")
	set.Directory(&o.DataDir, "data-dir", "", "directory that keeps the last known flags across restarts; without it they are kept in memory only")
	set.File(&o.BootstrapFile, "bootstrap-file", "", "flagd file in JSON, or snapshot, to serve while no newer flags are available; flagside convert turns YAML into JSON")
	set.Choice(&s.compatibility, "compatibility", "", []string{string(eval.CompatibilityFlagd)},
		"compatibility mode for the bootstrap file; for flags from the change log, their environment decides")
	set.String(&o.ReadyWhen, "ready-when", sidecar.DefaultReadyWhen,
		"when /readyz answers 200: any (any flags to serve), live (the newest flags), or fresh:30s (the flags were the newest at most 30s ago)")
	set.Duration(&o.CatchUpGrace, "catch-up-grace", sidecar.DefaultCatchUpGrace,
		"how long the first answers may wait for changes made since the last run, if the change log is reachable")
	set.Duration(&o.BarrierSpacing, "barrier-spacing", sidecar.DefaultBarrierSpacing,
		"shortest time between two barriers for always_fresh flags; raise it in a large fleet")
	set.Duration(&o.FreshnessDeadline, "freshness-deadline", resolver.DefaultDeadline,
		"how long a request may wait for the freshness that a flag or its headers demand")
	set.Int(&o.PastRevisions, "past-revisions", sidecar.DefaultPastRevisions,
		"how many revisions before the newest a request can be pinned to with Flagside-Pin-Revision; 0 keeps none")
	set.Bool(&o.RevisionFromBaggage, "revision-from-baggage", false,
		"take the members flagside-pin-revision and flagside-min-revision of a request's baggage for the headers of these names; visitors can write baggage")
	set.Int(&s.answersMemory, "answers-memory", resolver.DefaultAnswersMemory>>10,
		"memory limit of the cache of bulk answers, in KiB; 0 turns it off")
	set.Int(&s.inFlight, "in-flight-memory", inflight.Default>>10,
		"memory limit for requests in flight and their answers on each application port, in KiB; requests above it get 503 or RESOURCE_EXHAUSTED")
	settings.Declare(set, o)
	s.place = make(place)
	s.place.declare(set)
	set.Bool(&s.reports, "status-reports", true,
		"report to publishers every 10s, and on changes, who the sidecar is and what it serves, for flagside fleet and flagside wait")
	set.String(&o.Identity.Application, "application", "",
		"name of the application in status reports and counts of evaluations; set the variable to the pod's label app.kubernetes.io/name with the downward API")
	set.String(&o.Identity.ApplicationVersion, "application-version", "",
		"version of the application in status reports and counts of evaluations; set the variable to the pod's label app.kubernetes.io/version with the downward API")
	set.Map(&o.Identity.Labels, "label", "name=value in status reports, such as team=shop; at most 8; may be repeated, in the file an object")
	set.Bool(&s.usage, "usage", true,
		"report to publishers once a minute how often flags were evaluated, by variant and application and never for whom, and with it exposures and outcomes; see docs/usage.md")
	set.File(&o.ExposureKeyFile, "exposure-key-file", "",
		"file with the environment's key for exposures, 32 bytes or more in base64; reloaded when it changes; without it no exposures are reported, "+
			"and outcomes have no subject; see docs/usage.md")
	set.String(&s.sample, "exposure-sample", "1",
		"share of subjects whose exposures and outcomes are reported, above 0 and up to 1; the same subjects for all flags and sidecars with the same key")
	set.Int(&o.EventRate, "event-rate", sidecar.DefaultEventRate,
		"how many exposures are reported a minute in the long run, and how many outcomes, 1 to 100000; an hour's share may come at once, more is dropped and counted as lost")
	set.Bool(&s.preview, "preview", true,
		"remember some evaluations of the last hour with their contexts, in memory only, and tell publishers by counts what a change would do to them; see docs/usage.md")
	set.String(&s.socketMode, "socket-mode", "0660", "mode of Unix sockets, in octal digits")
	set.File(&o.TLS.Certificate, "tls-cert-file", "", "PEM file with a certificate and its chain; turns on TLS on the TCP ports for applications")
	set.File(&o.TLS.Key, "tls-key-file", "", "PEM file with the key of --tls-cert-file")
	set.File(&o.TLS.ClientCA, "tls-client-ca-file", "", "PEM file with CA certificates; every client then needs a certificate from one of them")
	set.Bool(&o.Profiling, "pprof", false, "serve Go profiles on the management address, under /debug/pprof/")
	s.logging.Declare(set, telemetry.FormatJSON)
	return set
}

// run is the command: it returns the exit code when it is done or ctx ends. It calls settled once the start is over.
func run(ctx context.Context, args, environ []string, stdout, stderr io.Writer, settled func()) int {
	if len(args) > 0 && commandline.Offers(args[0]) {
		return program().Run(ctx, args, commandline.Terminal{Environ: environ, Stdout: stdout, Stderr: stderr})
	}
	lookup := config.Lookup(environ)
	if code, done := runProbe(ctx, args, lookup, stdout, stderr); done {
		return code
	}
	var s given
	set := options(&s)
	action, err := set.Parse(args, lookup)
	switch {
	case err != nil:
		for _, sentence := range config.Unknown(environ, false, set) { // a slip in the name of a variable may be why
			fmt.Fprintf(stderr, "sidecar: warning: %s\n", sentence)
		}
		fmt.Fprintf(stderr, "sidecar: %v\n", err)
		return exitConfiguration
	case action == config.ActionHelp:
		fmt.Fprint(stdout, set.Usage())
		return exitOK
	case action == config.ActionPrint:
		fmt.Fprint(stdout, set.Print())
		return exitOK
	}
	logger, err := s.logging.Logger(stderr)
	if err != nil {
		fmt.Fprintf(stderr, "sidecar: %v\n", err)
		return exitConfiguration
	}
	for _, sentence := range config.Unknown(environ, false, set) {
		logger.Warn().Msg(sentence)
	}
	o := s.sidecar
	o.Compatibility = eval.Compatibility(s.compatibility)
	if o.SocketMode, err = parseMode(s.socketMode); err != nil {
		fmt.Fprintf(stderr, "sidecar: --socket-mode: %v\n", err)
		return exitConfiguration
	}
	o.AnswersMemory = answersMemory(s.answersMemory)
	if o.InFlight = int64(s.inFlight) << 10; o.InFlight == 0 {
		fmt.Fprintln(stderr, "sidecar: --in-flight-memory: 0 KiB leave no room for answers: give 1 or more")
		return exitConfiguration
	}
	o.Context.Static = s.place.addTo(o.Context.Static)
	o.Identity, o.NoReports = s.place.identify(o.Identity), !s.reports
	o.NoUsage = !s.usage
	if o.ExposureSample, err = parseShare(s.sample); err != nil {
		fmt.Fprintf(stderr, "sidecar: --exposure-sample: %v\n", err)
		return exitConfiguration
	}
	if o.EventRate == 0 {
		fmt.Fprintln(stderr, "sidecar: --event-rate: 0 leaves no events: give 1 or more, or --usage=false")
		return exitConfiguration
	}
	o.NoPreview = !s.preview
	o.Version = telemetry.Version()
	o.Settled = settled
	o.Logger = logger
	if err := o.Validate(); err != nil {
		fmt.Fprintf(stderr, "sidecar: %v\n", err)
		return exitConfiguration
	}
	if action == config.ActionCheck {
		return check(ctx, o, stdout, stderr)
	}
	if err := serve(ctx, o, lookup); err != nil {
		logger.Error().Err(err).Msg("sidecar failed")
		return exitFailure
	}
	return exitOK
}

// answersMemory turns KiB into the bytes of the options, where zero would mean the default.
func answersMemory(kib int) int64 {
	if kib <= 0 {
		return -1
	}
	return int64(kib) << 10
}

// parseShare reads a share that is more than nothing.
func parseShare(text string) (float64, error) {
	share, err := strconv.ParseFloat(text, 64)
	if err != nil || !(share > 0 && share <= 1) {
		return 0, fmt.Errorf("%q is no share of subjects: want a number above 0, up to 1, such as 0.1", text)
	}
	return share, nil
}

// parseMode reads the mode of a file in octal digits.
func parseMode(text string) (fs.FileMode, error) {
	mode, err := strconv.ParseUint(text, 8, 32)
	if err != nil || mode == 0 || mode > 0o777 {
		return 0, fmt.Errorf("%q is not a file mode: write it in octal, such as 0660", text)
	}
	return fs.FileMode(mode), nil
}

// check tells whether the sidecar could follow its environment with the options, which make sense in themselves.
func check(ctx context.Context, o sidecar.Options, stdout, stderr io.Writer) int {
	if err := sidecar.Check(ctx, o); err != nil {
		fmt.Fprintf(stderr, "sidecar: %v\n", err)
		return exitFailure
	}
	fmt.Fprintf(stdout, "the configuration is good, and environment %s can be followed\n", o.Environment)
	return exitOK
}

func serve(ctx context.Context, o sidecar.Options, lookup func(string) (string, bool)) error {
	s, err := sidecar.New(o)
	if err != nil {
		return err
	}
	if err := systemd.Ready(lookup); err != nil {
		o.Logger.Warn().Err(err).Msg("service manager not notified of the start")
	}
	return s.Run(ctx)
}
