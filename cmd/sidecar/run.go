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
	logging       commandline.Logging
}

// options returns the option table of the command, which fills in s.
func options(s *given) *config.Set {
	set := config.NewSet("sidecar",
		"Answers feature-flag evaluations beside an application and follows one environment's change log. --version prints the version; "+
			"the sub-commands healthz and readyz ask a running sidecar.")
	o := &s.sidecar
	set.String(&o.Environment, "environment", "", "environment whose flags are answered, such as prod").Require()
	set.String(&o.NATS, "nats", "nats://127.0.0.1:4222", "URL of the NATS server, or several separated by commas")
	set.Directory(&o.Credentials, "credentials", "",
		"directory with the credentials that flagside credentials add makes; stands for --nats-nkey, --nats-ca and --trust-file")
	set.File(&o.TrustFile, "trust-file", "",
		"file with the root keys of the publisher, which is trust in its data directory; required unless --credentials is given")
	set.String(&o.NATSDomain, "nats-domain", "", "JetStream domain of the change log on servers without flagside's accounts, needed there through a leaf node")
	set.Bool(&o.NATSInsecure, "nats-insecure", false, "connect beyond loopback without TLS; anyone on the way can read flags and hold changes back")
	set.File(&o.NATSCredentials, "nats-creds", "",
		"file with NATS credentials, read again for every attempt to connect; without credentials the environment is sent as user name")
	set.File(&o.NATSNKey, "nats-nkey", "", "file with the seed of a NATS user, in place of --nats-creds; read again like that")
	set.File(&o.NATSCA, "nats-ca", "", "PEM file with CA certificates for the NATS server, in place of the system's; demands TLS")
	set.File(&o.NATSCertificate, "nats-cert", "", "PEM file with the sidecar's own certificate, for NATS servers that ask for one")
	set.File(&o.NATSCertificateKey, "nats-key", "", "PEM file with the key of --nats-cert")
	set.String(&o.NATSInboxPrefix, "nats-inbox-prefix", "",
		"subject below which NATS replies come, if credentials allow one only; without it _SC.<environment>.<random>")
	set.Directory(&o.DataDir, "data-dir", "", "directory that keeps the last known flags over a restart; without it they are kept in memory only")
	set.File(&o.BootstrapFile, "bootstrap-file", "", "flagd file in JSON, or snapshot, to answer from while nothing better is known; flagside convert makes JSON of YAML")
	set.Choice(&s.compatibility, "compatibility", "", []string{string(eval.CompatibilityFlagd)},
		"how leniently the bootstrap file is read; for flags from the log, their environment decides")
	set.String(&o.ReadyWhen, "ready-when", sidecar.DefaultReadyWhen,
		"what /readyz demands: any (something to answer from), live (the newest state), or fresh:30s (the newest state at most so long ago)")
	set.Duration(&o.CatchUpGrace, "catch-up-grace", sidecar.DefaultCatchUpGrace,
		"how long the first answers may wait for changes made since the last run, if the log can be reached")
	set.Duration(&o.BarrierSpacing, "barrier-spacing", sidecar.DefaultBarrierSpacing,
		"least time between two questions to the log's leader for always_fresh flags; raise it in a large fleet")
	set.Duration(&o.FreshnessDeadline, "freshness-deadline", resolver.DefaultDeadline,
		"how long a request may wait for the confirmation that a flag, or its own headers, ask for")
	set.Int(&s.answersMemory, "answers-memory", resolver.DefaultAnswersMemory>>10,
		"how much memory remembered bulk answers may take, in KiB; 0 remembers none")
	set.Int(&s.inFlight, "in-flight-memory", inflight.Default>>10,
		"how much memory requests and answers that are under way may take on each port of applications, in KiB; more are refused with 503 or RESOURCE_EXHAUSTED")
	settings.Declare(set, o)
	s.place = make(place)
	s.place.declare(set)
	set.String(&s.socketMode, "socket-mode", "0660", "mode of Unix sockets, in octal digits")
	set.File(&o.TLS.Certificate, "tls-cert-file", "", "PEM file with a certificate and its chain; with it, the TCP ports of applications speak TLS only")
	set.File(&o.TLS.Key, "tls-key-file", "", "PEM file with the key of --tls-cert-file")
	set.File(&o.TLS.ClientCA, "tls-client-ca-file", "", "PEM file with authorities; with it, every client needs a certificate of one of them")
	set.Bool(&o.Profiling, "pprof", false, "serve profiles of the Go runtime at the management address, below /debug/pprof/")
	s.logging.Declare(set, telemetry.FormatJSON)
	return set
}

// run is the command: it returns the exit code when it is done or ctx ends. It calls remembered once the last known flags are loaded.
func run(ctx context.Context, args, environ []string, stdout, stderr io.Writer, remembered func()) int {
	if len(args) == 1 && (args[0] == "--version" || args[0] == "version") {
		fmt.Fprintln(stdout, telemetry.Version())
		return exitOK
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
		fmt.Fprintln(stderr, "sidecar: --in-flight-memory: nothing can be answered with 0 KiB")
		return exitConfiguration
	}
	o.Context.Static = s.place.addTo(o.Context.Static)
	o.Version = telemetry.Version()
	o.Remembered = remembered
	o.Logger = logger
	if err := o.Validate(); err != nil {
		fmt.Fprintf(stderr, "sidecar: %v\n", err)
		return exitConfiguration
	}
	if action == config.ActionCheck {
		return check(ctx, o, stdout, stderr)
	}
	if err := serve(ctx, o); err != nil {
		logger.Error().Err(err).Msg("the sidecar cannot go on")
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

// parseMode reads the mode of a file in octal digits.
func parseMode(text string) (fs.FileMode, error) {
	mode, err := strconv.ParseUint(text, 8, 32)
	if err != nil || mode == 0 || mode > 0o777 {
		return 0, fmt.Errorf("%q is no mode such as 0660", text)
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

func serve(ctx context.Context, o sidecar.Options) error {
	s, err := sidecar.New(o)
	if err != nil {
		return err
	}
	return s.Run(ctx)
}
