package publisher

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/config"
	"github.com/flagside/flagside/internal/health"
	"github.com/flagside/flagside/internal/kubernetes"
	"github.com/flagside/flagside/internal/listen"
	"github.com/flagside/flagside/internal/origin"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/control"
	"github.com/flagside/flagside/internal/publisher/fleet"
	"github.com/flagside/flagside/internal/publisher/following"
	"github.com/flagside/flagside/internal/publisher/natsserver"
	flagsync "github.com/flagside/flagside/sync"
)

// connectionName is what the publisher calls itself to the NATS server.
const connectionName = "flagside publisher"

// The addresses that a publisher listens on unless its options say otherwise.
const (
	DefaultAdminAddr = api.DefaultAddress
	DefaultNATSAddr  = "127.0.0.1:4222"
)

// NATSUsersFile is the file in the data directory with the users of the embedded NATS server.
const NATSUsersFile = "nats-users.json"

// DefaultOpenRequests is how many change requests one author may have in an environment that are not ended.
const DefaultOpenRequests = 100

// DefaultCheckpointInterval is how often it is looked whether a checkpoint is to be appended.
const DefaultCheckpointInterval = time.Minute

// minInFlight is the least that the API may have under way, in bytes.
const minInFlight = 1 << 20

// minUsageBytes is the least room for the usage of an environment.
const minUsageBytes = 16 << 20

const minCheckpointInterval = 100 * time.Millisecond

// Options say where a publisher keeps the change logs and where it listens.
type Options struct {
	// DataDir is the directory of the embedded JetStream. Either it or NATS is required.
	DataDir string
	// KeysDir is the directory of the keys, which publisher keys init makes; empty means DataDir, where they are made if it is new. It is
	// required with NATS. It is read again while it is in use.
	KeysDir string
	// NATSAddr is the TCP address of the embedded NATS server; empty means DefaultNATSAddr. Port 0 picks a free port. Beyond loopback it
	// needs NATSUsers, NATSCertificate and NATSCertificateKey.
	NATSAddr string
	// NATSUsers is the path of a file with the users that the embedded NATS server lets in; empty means NATSUsersFile in DataDir. While that
	// does not exist, clients on this machine are sidecars of the environment that they give as their user name. The file is read again when
	// it changes, as are the files of certificates.
	NATSUsers string

	// NATS is the URL of a NATS server or cluster, or a comma-separated list of URLs; empty means that one is embedded.
	NATS string
	// NATSDomain is the JetStream domain of the embedded NATS server, or of another one without accounts; empty means none.
	NATSDomain string
	// NATSInsecure lets the connection to another server go without TLS beyond loopback.
	NATSInsecure bool
	// NATSCredentials is the path of a NATS credentials file, NATSNKey that of a file with the seed of a NATS user; empty means none.
	NATSCredentials string
	NATSNKey        string
	// NATSCertificate and NATSCertificateKey are the paths of PEM files with the certificate of the embedded NATS server, or of the publisher
	// as a client of another one; empty means none.
	NATSCertificate    string
	NATSCertificateKey string
	// NATSCA is the path of a PEM file with CA certificates for clients of the embedded NATS server, which all need a certificate then, or
	// for the other server; empty means that no certificate is asked for, or leaves it to the system.
	NATSCA string
	// Replicas is how many servers of a cluster keep a copy of each change log, 1 to 5; 0 means 1. The embedded server is one.
	Replicas int

	// AdminAddr is the TCP address of the API; empty means DefaultAdminAddr. Port 0 picks a free port. Beyond loopback it needs
	// AdminCertificate and AdminKey.
	AdminAddr string
	// AdminCertificate and AdminKey are the paths of PEM files with the certificate of the API; empty means no TLS. They are read again while
	// they are in use.
	AdminCertificate string
	AdminKey         string
	// Hosts are the names, beside those of loopback, that requests to the API may give as their Host, or "*" for all. Without any, an API
	// that does not listen on loopback asks for none.
	Hosts []string
	// InFlight is how many bytes requests to the API and their answers may have under way; more are refused with 503. 0 means inflight.Default.
	InFlight int64
	// AnonymousReads lets requests without a token read all environments.
	AnonymousReads bool
	// AdminTokenFile is the path of a file with a token that may do what admins may. It is made if it is not there. Empty means that there is none.
	AdminTokenFile string
	// FixedTokens are accepted besides.
	FixedTokens []access.FixedToken
	// TokenLifetime is how long API tokens last at most; 0 means access.DefaultTokenLifetime.
	TokenLifetime time.Duration
	// Issuers is the path of a file with the OpenID Connect issuers whose tokens are accepted; empty means none.
	Issuers string
	// OpenRequests is how many change requests one author may have in an environment that are not ended; 0 means DefaultOpenRequests.
	OpenRequests int
	// LedgerBytes is how many bytes of change requests and comments one author may write in a day and environment; 0 means
	// control.DefaultLedgerBytes.
	LedgerBytes int
	// ConsoleOff means that there is no console: no sessions, and nothing below /console/.
	ConsoleOff bool
	// ConsolePages are the pages of the console, below /console/; nil means that it has none.
	ConsolePages http.Handler
	// Policy is the path of a file with Cedar policies, which is read again when it changes; empty means the default policy.
	Policy string

	// CheckpointFile is the path of a file to which a signed checkpoint of all streams is appended when they have grown; empty means none.
	// Several publishers may name the same file.
	CheckpointFile string
	// CheckpointInterval is how often it is looked whether they have; 0 means DefaultCheckpointInterval.
	CheckpointInterval time.Duration

	// GatherReports is for how long status reports are gathered after a start or a lost connection, before the fleet counts as known. 0 means
	// fleet.Rebuilding, which is long enough for every sidecar to report; less is for tests, and for a publisher beside its only sidecar.
	GatherReports time.Duration
	// Sources are followed: environments become what they say.
	Sources []following.Spec
	// Kubernetes says where the API server is; it is required for sources that are namespaces.
	Kubernetes kubernetes.Options
	// Webhooks is the path of a file with the receivers of events, which is read again when it changes; empty means none.
	Webhooks string

	// Compatibility is written to the settings of environments that are created without a compatibility of their own.
	Compatibility eval.Compatibility
	// MaxEvaluationWork is how many nodes one evaluation may visit, see eval.NewWithin: documents that need more are refused. 0 means
	// eval.DefaultMaxWork. Sidecars have an option of their own, which should be the same.
	MaxEvaluationWork int
	// UsageBytes is the room for the counts of evaluations of each environment, in its streams; 0 means DefaultUsageBytes, and a negative number
	// that none are kept.
	UsageBytes int64
	// UsageSinks is the path of a file with the sinks of usage, which is read again when it changes; empty means none. It needs UsageBytes.
	UsageSinks string
	// UsageInterval is how often counts are folded; 0 means folding.Interval.
	UsageInterval time.Duration
	// OwnMachine says that the publisher serves the machine of one developer only, where the root key is no condition.
	OwnMachine bool
	// ReadOnly has, for each environment that the API must not change, a sentence that tells where it is changed instead.
	ReadOnly map[string]string

	// Now is the clock of what people agreed on: deadlines, schedules, the lives of flags, and the times in records; nil means time.Now. Heartbeats,
	// tokens and everything that waits go by the clock of the process.
	Now func() time.Time

	// Metrics collects the metrics; nil means a registry of the publisher's own.
	Metrics *prometheus.Registry
	// Tracer makes the spans of what takes time; nil makes none.
	Tracer trace.Tracer
	// Observe wraps the API, so that every request is observed; nil leaves it as it is.
	Observe func(http.Handler) http.Handler
	// Health collects what is wrong; nil means a tracker of the publisher's own. Conditions that others set in it are shown too.
	Health *health.Tracker
	// Logger gets everything that is worth telling an operator. Its zero value logs nothing.
	Logger zerolog.Logger
}

// complete returns the options with their defaults, or why they cannot be used.
func (o Options) complete() (Options, error) {
	if o.AdminAddr == "" {
		o.AdminAddr = DefaultAdminAddr
	}
	if o.NATSAddr == "" && o.NATS == "" {
		o.NATSAddr = DefaultNATSAddr
	}
	if o.Replicas == 0 {
		o.Replicas = 1
	}
	if o.OpenRequests == 0 {
		o.OpenRequests = DefaultOpenRequests
	}
	if o.LedgerBytes == 0 {
		o.LedgerBytes = control.DefaultLedgerBytes
	}
	if o.GatherReports == 0 {
		o.GatherReports = fleet.Rebuilding
	}
	if o.UsageBytes == 0 {
		o.UsageBytes = DefaultUsageBytes
	}
	if o.CheckpointInterval == 0 {
		o.CheckpointInterval = DefaultCheckpointInterval
	}
	if o.Tracer == nil {
		o.Tracer = noop.NewTracerProvider().Tracer("")
	}
	if o.Observe == nil {
		o.Observe = func(h http.Handler) http.Handler { return h }
	}
	if o.Health == nil {
		o.Health = health.NewTracker(time.Now)
	}
	return o, o.validate()
}

// Validate returns why New would refuse the options, if it is for the options alone.
func (o Options) Validate() error {
	_, err := o.complete()
	return err
}

func (o Options) validate() error {
	if err := o.adminTLS().Validate(); err != nil {
		return fmt.Errorf("the API: %w", err)
	}
	if err := origin.ValidateHosts(o.Hosts); err != nil {
		return err
	}
	if err := config.LoopbackOnly(o.AdminAddr); err != nil && !o.adminTLS().Enabled() {
		return fmt.Errorf("admin address: %w; elsewhere the API needs a certificate, because tokens could be read on their way: "+
			"give --admin-cert and --admin-key", err)
	}
	switch {
	case o.NATS == "" && o.DataDir == "":
		return errors.New("the publisher has no NATS server: give --data-dir for the embedded one, or --nats with the URL of another")
	case o.NATS != "" && o.DataDir != "":
		return errors.New("--data-dir is for the embedded NATS server, and --nats names another: leave one out")
	case o.NATS != "" && o.NATSAddr != "":
		return errors.New("--nats-addr is for the embedded NATS server, and --nats names another: leave one out")
	case o.NATS != "" && o.NATSUsers != "":
		return errors.New("--nats-users is for the embedded NATS server, and --nats names another: leave one out")
	case o.NATS == "" && (o.NATSCredentials != "" || o.NATSNKey != ""):
		return errors.New("--nats-creds and --nats-nkey are for the server at --nats, and the embedded one is used: leave them out")
	case o.NATS == "" && o.Replicas != 1:
		return fmt.Errorf("--replicas %d: the embedded NATS server keeps 1 copy: leave the option out, or give the URL of a cluster with --nats", o.Replicas)
	case o.Replicas < 1 || o.Replicas > 5:
		return fmt.Errorf("--replicas %d: want 1 to 5, because JetStream keeps no more", o.Replicas)
	case o.OpenRequests < 0:
		return fmt.Errorf("--open-requests %d: want 1 or more", o.OpenRequests)
	case o.TokenLifetime < 0:
		return fmt.Errorf("--token-lifetime %s: want a positive duration such as 720h", o.TokenLifetime)
	case o.LedgerBytes < 0:
		return fmt.Errorf("--ledger-bytes %d: want 1 or more", o.LedgerBytes)
	case o.UsageBytes > 0 && o.UsageBytes < minUsageBytes:
		return fmt.Errorf("--usage-storage: want %d MiB or more, or 0 to keep no usage", minUsageBytes>>20)
	case o.UsageBytes < 0 && o.UsageSinks != "":
		return errors.New("--usage-sinks exports the usage of flags, and --usage-storage 0 keeps none: leave one out")
	case o.InFlight != 0 && o.InFlight < minInFlight:
		return fmt.Errorf("--in-flight-memory: want %d KiB or more, because large answers need it", minInFlight>>10)
	case o.CheckpointInterval < minCheckpointInterval:
		return fmt.Errorf("--checkpoint-interval %s: want %s or more", o.CheckpointInterval, minCheckpointInterval)
	case eval.ValidateMaxWork(o.MaxEvaluationWork) != nil:
		return fmt.Errorf("--max-evaluation-work: %w", eval.ValidateMaxWork(o.MaxEvaluationWork))
	case o.NATS != "" && o.KeysDir == "":
		return errors.New("the publisher has no keys: name their directory with --keys, the same keys for every publisher; make them with publisher keys init DIR")
	case o.Compatibility != "" && o.Compatibility != eval.CompatibilityFlagd:
		return fmt.Errorf("--compatibility: %q is unknown: leave it empty or use %q", o.Compatibility, eval.CompatibilityFlagd)
	}
	if o.NATS == "" {
		return o.server().Validate()
	}
	if err := o.connection().Validate(); err != nil {
		return fmt.Errorf("NATS: %w", err)
	}
	return nil
}

// connection returns the options of the connection to a NATS server that is not embedded.
func (o Options) connection() flagsync.ConnectOptions {
	return flagsync.ConnectOptions{
		URL: o.NATS, Domain: o.NATSDomain, Insecure: o.NATSInsecure, Credentials: o.NATSCredentials, NKey: o.NATSNKey,
		CA: o.NATSCA, Certificate: o.NATSCertificate, CertificateKey: o.NATSCertificateKey,
		Name: connectionName, Logger: o.Logger,
	}
}

func (o Options) adminTLS() listen.TLS {
	return listen.TLS{Certificate: o.AdminCertificate, Key: o.AdminKey}
}

// local reports whether the API listens on loopback only.
func (o Options) local() bool { return config.LoopbackOnly(o.AdminAddr) == nil }

// server returns the options of the embedded NATS server.
func (o Options) server() natsserver.Options {
	return natsserver.Options{
		StoreDir: o.DataDir, Addr: o.NATSAddr, Domain: o.NATSDomain,
		UsersFile: cmp.Or(o.NATSUsers, filepath.Join(o.DataDir, NATSUsersFile)), UsersOptional: o.NATSUsers == "",
		CertificateFile: o.NATSCertificate, KeyFile: o.NATSCertificateKey, ClientCAFile: o.NATSCA, Logger: o.Logger,
	}
}
