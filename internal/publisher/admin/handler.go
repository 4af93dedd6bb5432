package admin

import (
	"context"
	"io"
	"iter"
	"maps"
	"mime"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/rs/zerolog"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/audit"
	"github.com/flagside/flagside/internal/publisher/control"
	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/internal/publisher/fleet"
	"github.com/flagside/flagside/internal/publisher/following"
	"github.com/flagside/flagside/internal/publisher/preview"
	"github.com/flagside/flagside/internal/telemetry"
	"github.com/flagside/flagside/sync/writer"
)

// The names of the ways to say who asks.
const (
	bearer = "bearer"
	cookie = "session"
)

// maxBody bounds the body of a request, in bytes.
const maxBody = 1 << 20

// Environments is what the API is about.
type Environments interface {
	// List returns all environments, archived ones too, by name.
	List(ctx context.Context) ([]writer.Environment, error)
	// Create creates an environment and starts to follow it. The empty compatibility means that of the publisher.
	Create(ctx context.Context, name string, order writer.Order, compatibility eval.Compatibility) (writer.Environment, error)
	// Archive takes an environment out of use.
	Archive(ctx context.Context, name string, order writer.Order) error
	// Revive takes an archived environment into use again.
	Revive(ctx context.Context, name string, order writer.Order) error
	// Recreate writes what is known of an environment as a new epoch, whatever has become of its log.
	Recreate(ctx context.Context, name string, o decide.Origin, how Restoring) (control.Restored, error)
	// Restore makes an environment what a snapshot is: by a change request, or by a new epoch where its log cannot go on.
	Restore(ctx context.Context, name string, o decide.Origin, how Restoring, snapshot io.ReadSeeker) (control.Restored, error)
	// Adopt makes an environment known again whose streams are in use, although CONTROL does not know it.
	Adopt(ctx context.Context, name string, order writer.Order) (writer.Environment, error)
	// RepairLedger has the ledger of an environment go on behind a damage.
	RepairLedger(ctx context.Context, name string, order writer.Order) (writer.LedgerRepaired, error)
	// RepairControl has CONTROL go on behind a damage.
	RepairControl(ctx context.Context, order writer.Order) (writer.LedgerRepaired, error)
	// Audit returns what the history of an environment is exported from, with CONTROL or without.
	Audit(ctx context.Context, name string, withControl bool) (audit.Source, error)
	// VerifyAudit verifies the history of an environment with the keys that this publisher trusts. A *audit.BadRecordError names the first bad record.
	VerifyAudit(ctx context.Context, name string) (audit.Report, error)
	// KeysNote returns the version of the newest keys note that an environment knows, and the keys that it lists.
	KeysNote(ctx context.Context, name string) (version uint64, keys []string, err error)
	// Note returns the proof of a record of a stream of an environment as a signed note. The stream is log, ledger or control.
	Note(ctx context.Context, name, stream string, sequence uint64) (string, error)
	// Ledger returns what the ledger of an environment, archived or not, had recorded before the call, oldest first.
	Ledger(ctx context.Context, name string) (iter.Seq2[control.RecordedEvent, error], error)
	// Fleet returns what is known of the sidecars of an environment.
	Fleet(ctx context.Context, name string) (*fleet.Table, error)
	// Impact asks sidecars what changes would do to the evaluations that they have made lately, and waits so long for answers. actor is who wants to
	// know. What keeps sidecars from being asked is no error.
	Impact(ctx context.Context, name, actor string, changes []document.Document, wait time.Duration) (preview.Impact, error)
	// Usage returns what the usage of an environment is read from, nil if it is not kept.
	Usage(ctx context.Context, name string) (Usage, error)
	// Control returns what reads and changes an environment.
	Control(ctx context.Context, name string) (*control.Service, error)
}

// Authenticator finds out who sends a request. The error is one of access.Authenticator or of session.Sessions.
type Authenticator interface {
	Authenticate(r *http.Request) (access.Principal, error)
}

// Options say what the API is about and who may use it. All but Sessions, Sources, AnonymousReads, Observe, BrokeGlass and Repeats are required.
type Options struct {
	Environments Environments
	// Authenticator says who makes a request.
	Authenticator Authenticator
	// Sessions are those of the console; nil if there is none.
	Sessions Sessions
	// Authorize answers what policies permit.
	Authorize func(access.Question) access.Answer
	// Tokens are the API tokens.
	Tokens *access.Tokens
	// People know the ids of persons, and their names.
	People *access.People
	// Acts are what was done to the installation.
	Acts *access.Acts
	// Sources returns the sources that an environment follows here. It may be nil.
	Sources func(environment string) []following.Status
	// Webhooks are the receivers of events.
	Webhooks Webhooks
	// AnonymousReads lets requests without credentials read all environments.
	AnonymousReads bool
	// Observe is told of each request that has reached an operation, and the status of the answer. It may be nil.
	Observe func(operation string, status int)
	// BrokeGlass is told of each act of administration that went without the approvals that policies want: the environment, empty if it
	// concerns none. It may be nil.
	BrokeGlass func(environment string)
	// Logger gets what failed unexpectedly.
	Logger zerolog.Logger
	// Repeats gets what was refused by policies, which callers can repeat at will; nil writes to Logger.
	Repeats *telemetry.Repeats
}

func (o Options) withDefaults() Options {
	if o.Observe == nil {
		o.Observe = func(string, int) {}
	}
	if o.Sources == nil {
		o.Sources = func(string) []following.Status { return nil }
	}
	if o.BrokeGlass == nil {
		o.BrokeGlass = func(string) {}
	}
	if o.Repeats == nil {
		o.Repeats = telemetry.NewRepeats(o.Logger)
	}
	return o
}

// server holds what the handlers need.
type server struct {
	options    Options
	evaluating *turns
	tasks      tasks
}

// Handler returns the API, without CheckOrigin.
func Handler(o Options) http.Handler {
	mux := http.NewServeMux()
	spec := register(mux, &server{options: o.withDefaults(), evaluating: newTurns()})
	mux.HandleFunc("GET /openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/openapi+json")
		_, _ = w.Write(spec) // fails only when the client is gone
	})
	return orProblem(mux)
}

// OpenAPI returns the description of the API, as JSON for people.
func OpenAPI() []byte { return register(http.NewServeMux(), &server{}) }

// register adds all operations to mux and returns their description.
func register(mux humago.Mux, s *server) []byte {
	format := huma.Format{Marshal: marshal, Unmarshal: unmarshal}
	options := huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title:   "flagside publisher",
				Version: "1",
				Description: "Reads and changes the flags of environments. Errors are problems of RFC 9457. " +
					"To change a document, say with If-Match or If-None-Match what you have read: " +
					"without them the answer is 428, and 412 when the document has moved since. " +
					"A change with an Idempotency-Key may be repeated for 24 hours and is made once. " +
					"Revisions have the form <epoch8>-<revision>, and stand in ETag, in If-Match and in answers.",
				License: &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"},
			},
			Security: []map[string][]string{{bearer: {}}, {cookie: {}}},
			Tags:     tags(),
		},
		Formats:                      map[string]huma.Format{"application/json": format, "json": format},
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
		Transformers:                 []huma.Transformer{fromFramework, forManifest},
	}
	options.AllowAdditionalPropertiesByDefault = true // of answers, which may get more members one day
	h := humago.New(mux, options)
	h.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[api.Problem](), true, "Problem")
	h.OpenAPI().Components.SecuritySchemes = map[string]*huma.SecurityScheme{bearer: {
		Type: "http", Scheme: "bearer",
		Description: "An API token, or a JSON Web Token of an accepted OpenID Connect issuer. Reads need none where anybody may read.",
	}, cookie: {
		Type: "apiKey", In: "cookie", Name: "__Host-flagside-session",
		Description: "The session of the console. Without TLS, which is for loopback only, the cookie is flagside-session. What changes something then needs the Content-Type application/json, or no body. An Authorization header comes first.",
	}}
	h.UseMiddleware(s.observe, s.authenticate, s.verifyReason, requireMediaType(h))
	s.registerEnvironments(h)
	s.registerDocuments(h, flagRoutes())
	s.registerDocuments(h, segmentRoutes())
	s.registerChanges(h, flagRoutes())
	s.registerChanges(h, segmentRoutes())
	s.registerToggle(h)
	s.registerSettings(h)
	s.registerOperations(h)
	s.registerRecovery(h)
	s.registerTasks(h)
	s.registerRepairs(h)
	s.registerTransfers(h)
	s.registerRequests(h)
	s.registerLedger(h)
	s.registerActivity(h)
	s.registerEvaluate(h)
	s.registerLifecycle(h)
	s.registerFleet(h)
	s.registerSources(h)
	s.registerUsage(h)
	s.registerAudit(h)
	s.registerRisk(h)
	s.registerTokens(h)
	s.registerSessions(h)
	s.registerPersons(h)
	s.registerControl(h)
	s.registerPolicy(h)
	s.registerManifest(h)
	s.registerWebhooks(h)
	return describe(h)
}

// observe tells of each request how it was answered.
func (s *server) observe(ctx huma.Context, next func(huma.Context)) {
	next(ctx)
	s.options.Observe(ctx.Operation().OperationID, ctx.Status())
}

// requireMediaType refuses bodies that say that they are something else than what the operation takes.
func requireMediaType(h huma.API) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		body, contentType := ctx.Operation().RequestBody, ctx.Header("Content-Type")
		if body != nil && contentType != "" {
			media, _, err := mime.ParseMediaType(contentType)
			if _, taken := body.Content[media]; err != nil || !taken {
				wanted := slices.Sorted(maps.Keys(body.Content))
				_ = huma.WriteErr(h, ctx, http.StatusUnsupportedMediaType, "the body must be "+strings.Join(wanted, " or "))
				return
			}
		}
		next(ctx)
	}
}

func marshal(w io.Writer, v any) error {
	return json.MarshalWrite(w, v, jsontext.PreserveRawStrings(true))
}

func unmarshal(data []byte, v any) error {
	return json.Unmarshal(data, v)
}
