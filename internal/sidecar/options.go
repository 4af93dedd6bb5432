package sidecar

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/flagside/flagside/cache"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/exposurekey"
	"github.com/flagside/flagside/internal/listen"
	"github.com/flagside/flagside/internal/origin"
	"github.com/flagside/flagside/internal/sidecar/gate"
	"github.com/flagside/flagside/internal/sidecar/ofrep"
	"github.com/flagside/flagside/internal/sidecar/resolver"
	"github.com/flagside/flagside/internal/sidecar/usage/events"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/status"
)

// The addresses that a sidecar listens on unless its options say otherwise. The ports are those of flagd, so that one can take the
// place of the other.
const (
	DefaultOFREPAddr      = "127.0.0.1:8016"
	DefaultManagementAddr = "127.0.0.1:8014"
	DefaultFlagdAddr      = "127.0.0.1:8013"
	DefaultFlagdSyncAddr  = "127.0.0.1:8015"
)

// What the command uses unless it is told otherwise.
const (
	DefaultCatchUpGrace   = time.Second
	DefaultBarrierSpacing = time.Millisecond
	DefaultPastRevisions  = 16
	DefaultExposureSample = 1.0
	DefaultEventRate      = events.DefaultRate
)

// minInFlight is the least that a port may have under way, in bytes.
const minInFlight = 1 << 20

// maxPastRevisions bounds what a request that is pinned to a revision costs.
const maxPastRevisions = 1000

// maxEventRate bounds what a sidecar sends to publishers, a minute.
const maxEventRate = 100_000

// maxMetricsPerFlag bounds what a scrape of the metrics costs.
const maxMetricsPerFlag = 1000

// Server is a NATS server in the same process, such as the one that a publisher embeds.
type Server interface {
	InProcessConn() (net.Conn, error)
}

// Options say what a sidecar follows and where it listens.
type Options struct {
	// Environment is the environment to follow. It is required.
	Environment string

	// NATS is the URL of the NATS server or a comma-separated list of URLs. Either it or Server is required, not both.
	NATS string
	// Server is connected to without a network.
	Server Server
	// Awaited reports whether the environment is still to be made by this process, which has told people why it is not: that it does not exist
	// and that there is nothing to answer from are no conditions then. Nil is never.
	Awaited func() bool
	// NATSDomain is the JetStream domain of the environment's stream on servers without accounts; empty means the server's own.
	NATSDomain string
	// NATSInsecure lets the connection go without TLS beyond loopback.
	NATSInsecure bool
	// Credentials is a directory with the credentials that "flagside credentials add" makes: it stands for NATSNKey, NATSCA, TrustFile and ExposureKeyFile.
	// Files may be symbolic links. Empty means that these stand for themselves.
	Credentials string
	// TrustFile is the path of the trust file of the installation: what is not proved by the keys in it is not believed. Trust has the content
	// already, and goes before it. One of them or Credentials is required.
	TrustFile string
	Trust     changelog.Trust
	// NATSCredentials is the path of a NATS credentials file, NATSNKey that of a file with the seed of a NATS user; empty means none. These
	// files and the following are read again for every attempt to connect.
	NATSCredentials string
	NATSNKey        string
	// NATSCA is the path of a PEM file with CA certificates for the NATS server; empty leaves that to the system. NATSCertificate and
	// NATSCertificateKey are the paths of the sidecar's own; empty means none.
	NATSCA             string
	NATSCertificate    string
	NATSCertificateKey string
	// NATSInboxPrefix is where replies come to. Empty means "_SC.<environment>.<random>": sidecars cannot read each other's replies
	// by accident, and one permission serves an environment.
	NATSInboxPrefix string

	// DataDir keeps the last known flags over a restart; empty means that they are kept in memory only.
	DataDir string
	// BootstrapFile is a flagd file or a snapshot to answer from while nothing better is known; empty means none.
	BootstrapFile string
	// Compatibility says how strictly a flagd file given as BootstrapFile is read. It does not concern flags that come from the log:
	// for those, the settings of the environment decide.
	Compatibility eval.Compatibility

	// OFREPAddr is the address of the OFREP server, host:port or unix:path, or several of them, separated by commas; empty means DefaultOFREPAddr. Port 0 picks a free port.
	OFREPAddr string
	// FlagdAddr and FlagdSyncAddr are the addresses of flagd.evaluation and of flagd.sync, each as OFREPAddr; empty or
	// listen.Off means that it is not served.
	FlagdAddr, FlagdSyncAddr string
	// SocketMode is the mode of Unix sockets; 0 means listen.DefaultMode.
	SocketMode fs.FileMode
	// TLS is used on the TCP ports of applications, not on the management port; its zero value means no TLS.
	TLS listen.TLS
	// Origins are those whose pages browsers let ask over OFREP, such as https://shop.example, or "*" for all.
	Origins []string
	// Hosts are the names, beside those of loopback, that requests over HTTP/1.1 may give as their Host on every TCP port, or "*" for all.
	// Without any, ports that are not on loopback ask for none.
	Hosts []string
	// InFlight is how many bytes requests and answers may take on each port of applications that are under way, above all answers that clients have
	// not taken yet; more are refused until there is room. 0 means inflight.Default.
	InFlight int64
	// OFREPAuthFile is the path of a file with tokens, one a line; every OFREP request needs one of them then. It is read again when it
	// changes. Empty means that no request needs one.
	OFREPAuthFile string
	// FlagdAuthFile is the same for FlagdAddr and FlagdSyncAddr, whose health checks are answered without a token.
	FlagdAuthFile string
	// GateAddr and GateGRPCAddr are the addresses of the gate over HTTP and over gRPC, each as OFREPAddr; empty or listen.Off means that it is not
	// served. Gate says what it answers; its Resolver, Views, Metrics and Logger are those of the sidecar.
	GateAddr, GateGRPCAddr string
	Gate                   gate.Options
	// ManagementAddr is the TCP address of /healthz, /readyz, /status, /metrics and /explain; empty means DefaultManagementAddr. Port 0
	// picks a free port.
	ManagementAddr string
	// Profiling serves the profiles of the Go runtime at the management address, below /debug/pprof/.
	Profiling bool

	// Context is what evaluation contexts get beside what requests say.
	Context resolver.Enrichment

	// ReadyWhen says when the sidecar is ready: "any" as soon as there is something to answer from, "live" while the newest state is
	// served, "fresh:30s" while what is served was the newest state at most so long ago. Empty means DefaultReadyWhen.
	ReadyWhen string
	// CatchUpGrace is how long the first answer may wait at the start for what has changed since the last run, if the log can be
	// reached; 0 is not at all.
	CatchUpGrace time.Duration
	// BarrierSpacing is the least time between two questions to the leader of the log on behalf of always_fresh flags; 0 means a
	// millisecond.
	BarrierSpacing time.Duration
	// FreshnessDeadline is how long a request may wait for a minimum revision and for a barrier, all in all; 0 means
	// resolver.DefaultDeadline.
	FreshnessDeadline time.Duration
	// PastRevisions is how many revisions before the newest requests can be pinned to, as far as there is memory for them; 0 is none.
	PastRevisions int
	// RevisionFromBaggage has requests take over the revisions that their baggage names. Visitors can write it.
	RevisionFromBaggage bool
	// RequestTimeout is how long the flags of one request are evaluated at most; 0 means resolver.DefaultTimeout.
	RequestTimeout time.Duration
	// MaxEvaluationWork is how many nodes one evaluation may visit, see eval.NewWithin; 0 means eval.DefaultMaxWork.
	MaxEvaluationWork int
	// AnswersMemory is how many bytes of bulk answers are remembered at most; 0 means resolver.DefaultAnswersMemory, a negative number
	// none.
	AnswersMemory int64

	// MetricsPerFlag is how many flags have an evaluation counter of their own; 0 is none.
	MetricsPerFlag int
	// Identity is who the sidecar says it is in its status reports. An empty Host means the name of the machine, and Program is Version.
	Identity status.Identity
	// NoReports lets the sidecar send no status reports, so that publishers do not know of it.
	NoReports bool
	// NoUsage lets the sidecar send no counts of evaluations, so that publishers do not know which flags are in use.
	NoUsage bool
	// UsageInterval is how often counts are sent, on average; 0 means sending.Interval.
	UsageInterval time.Duration
	// ExposureKeyFile is the path of a file with the environment's key for exposures, see package exposurekey; it is read again when it changes.
	// Without it and ExposureKey no exposures are reported, and outcomes have no subject.
	ExposureKeyFile string
	// ExposureKey is used without an ExposureKeyFile; nil is none.
	ExposureKey exposurekey.Key
	// ExposureSample is the share of subjects whose exposures and outcomes are reported, up to 1; 0 means DefaultExposureSample.
	ExposureSample float64
	// EventRate is how many exposures are reported a minute in the long run, and how many outcomes; 0 means DefaultEventRate.
	EventRate int
	// NoPreview lets the sidecar remember no evaluations, and not answer publishers that ask what a change would do.
	NoPreview bool
	// Version is what the sidecar calls itself in /status, metrics, status reports and to the NATS server; empty means "devel".
	Version string
	// Settled is called by Run once the first flags are compiled, or a second after the start if there are none; nil is nothing.
	Settled func()
	// Metrics collects the metrics; nil means a registry of the sidecar's own.
	Metrics *prometheus.Registry
	// Logger gets everything that is worth telling an operator. Its zero value logs nothing.
	Logger zerolog.Logger
}

// withDefaults returns o with the defaults of what is empty.
func (o Options) withDefaults() Options {
	if o.OFREPAddr == "" {
		o.OFREPAddr = DefaultOFREPAddr
	}
	if o.ManagementAddr == "" {
		o.ManagementAddr = DefaultManagementAddr
	}
	if o.ReadyWhen == "" {
		o.ReadyWhen = DefaultReadyWhen
	}
	if o.Version == "" {
		o.Version = "devel"
	}
	return o.withCredentials()
}

// withCredentials returns o with the files of its directory of credentials in the place of what is empty.
func (o Options) withCredentials() Options {
	if o.Credentials == "" {
		return o
	}
	if o.NATSCredentials == "" {
		o.NATSNKey = cmp.Or(o.NATSNKey, filepath.Join(o.Credentials, flagsync.CredentialsNKey))
	}
	o.TrustFile = cmp.Or(o.TrustFile, filepath.Join(o.Credentials, flagsync.CredentialsTrust))
	ca := filepath.Join(o.Credentials, flagsync.CredentialsCA)
	if _, err := os.Stat(ca); o.NATSCA == "" && err == nil {
		o.NATSCA = ca
	}
	key := filepath.Join(o.Credentials, flagsync.CredentialsExposures)
	if _, err := os.Stat(key); o.ExposureKeyFile == "" && err == nil {
		o.ExposureKeyFile = key
	}
	return o
}

// storage returns the options of what is kept between processes.
func (o Options) storage(keys *changelog.Keyring) cache.Options {
	return cache.Options{
		Environment: o.Environment, Dir: o.DataDir, Keyring: keys, Compatibility: o.Compatibility, MaxWork: o.MaxEvaluationWork, Past: o.PastRevisions,
		Logger: o.Logger,
	}
}

// keyring returns what decides what is believed.
func (o Options) keyring() (*changelog.Keyring, error) {
	o = o.withCredentials()
	if o.Trust.Installation() != "" {
		return changelog.NewKeyring(o.Trust), nil
	}
	if o.TrustFile == "" {
		return nil, errors.New("no root keys to verify flags with: give --credentials with a directory that \"flagside credentials add\" has written, " +
			"or --trust-file with the file trust of the publisher's data directory")
	}
	text, err := os.ReadFile(o.TrustFile)
	if err != nil {
		return nil, fmt.Errorf("trust file: %w", err)
	}
	trust, err := changelog.ParseTrust(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.TrustFile, err)
	}
	return changelog.NewKeyring(trust), nil
}

// connection returns the options of the connection to NATS.
func (o Options) connection(keys *changelog.Keyring) flagsync.ConnectOptions {
	o = o.withCredentials()
	var user string
	if o.NATSCredentials == "" && o.NATSNKey == "" {
		user = o.Environment // which is enough for an embedded server on this machine
	}
	return flagsync.ConnectOptions{
		URL:         o.NATS,
		Server:      o.Server,
		Domain:      o.NATSDomain,
		Environment: o.Environment,
		Insecure:    o.NATSInsecure,
		User:        user,
		Credentials: o.NATSCredentials,
		NKey:        o.NATSNKey,
		CA:          o.NATSCA,
		Certificate: o.NATSCertificate, CertificateKey: o.NATSCertificateKey,
		InboxPrefix: cmp.Or(o.NATSInboxPrefix, "_SC."+o.Environment+"."+rand.Text()),
		Name:        "flagside sidecar of " + o.Environment,
		Keyring:     keys,
		Logger:      o.Logger,
	}
}

// Validate reports everything that is wrong with o, without changing anything on disk or reaching for a server.
func (o Options) Validate() error {
	var errs []error
	if err := flagsync.ValidateEnvironment(o.Environment); err != nil {
		errs = append(errs, err)
	}
	keys, err := o.keyring()
	if err != nil {
		keys = changelog.NewKeyring(o.Trust) // to see what else is wrong
	}
	if err != nil && o.Server == nil { // a publisher in this process may not have made its keys yet; New demands them
		errs = append(errs, err)
	}
	if err := o.connection(keys).Validate(); err != nil {
		errs = append(errs, fmt.Errorf("NATS: %w", err))
	}
	if o.Compatibility != "" && o.Compatibility != eval.CompatibilityFlagd {
		errs = append(errs, fmt.Errorf("--compatibility: %q is unknown: leave it empty or use %q", o.Compatibility, eval.CompatibilityFlagd))
	}
	if o.OFREPAddr == listen.Off {
		errs = append(errs, errors.New("--ofrep-addr cannot be off: give an address such as 127.0.0.1:8016"))
	}
	for _, addr := range []string{o.OFREPAddr, o.FlagdAddr, o.FlagdSyncAddr, o.GateAddr, o.GateGRPCAddr} {
		if addr != "" {
			errs = append(errs, listen.Validate(addr))
		}
	}
	if o.hasGate() {
		errs = append(errs, o.Gate.Validate())
	}
	if _, err := parseReadyWhen(o.withDefaults().ReadyWhen); err != nil {
		errs = append(errs, err)
	}
	if min(o.CatchUpGrace, o.BarrierSpacing, o.FreshnessDeadline, o.RequestTimeout) < 0 {
		errs = append(errs, errors.New("--catch-up-grace, --barrier-spacing, --freshness-deadline and --request-timeout cannot be negative: want 0s or more"))
	}
	if err := eval.ValidateMaxWork(o.MaxEvaluationWork); err != nil {
		errs = append(errs, fmt.Errorf("--max-evaluation-work: %w", err))
	}
	if o.InFlight < 0 || o.InFlight > 0 && o.InFlight < minInFlight {
		errs = append(errs, fmt.Errorf("--in-flight-memory %d: want %d KiB or more, because large answers need it", o.InFlight>>10, minInFlight>>10))
	}
	if len(o.Identity.Labels) > status.MaxLabels {
		errs = append(errs, fmt.Errorf("--label: %d labels: want at most %d", len(o.Identity.Labels), status.MaxLabels))
	}
	if o.PastRevisions < 0 || o.PastRevisions > maxPastRevisions {
		errs = append(errs, fmt.Errorf("--past-revisions %d: want 0 to %d", o.PastRevisions, maxPastRevisions))
	}
	if !(o.ExposureSample >= 0 && o.ExposureSample <= 1) {
		errs = append(errs, fmt.Errorf("--exposure-sample %v: want a share of subjects above 0, up to 1", o.ExposureSample))
	}
	if o.EventRate < 0 || o.EventRate > maxEventRate {
		errs = append(errs, fmt.Errorf("--event-rate %d: want 1 to %d", o.EventRate, maxEventRate))
	}
	if o.MetricsPerFlag < 0 || o.MetricsPerFlag > maxMetricsPerFlag {
		errs = append(errs, fmt.Errorf("--metrics-per-flag %d: want 0 to %d", o.MetricsPerFlag, maxMetricsPerFlag))
	}
	return errors.Join(append(errs, o.TLS.Validate(), o.Context.Validate(), ofrep.ValidateOrigins(o.Origins), origin.ValidateHosts(o.Hosts))...)
}
