package attacks

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher/natsserver"
	"github.com/flagside/flagside/internal/trusttest"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/writer"
)

const (
	// patience bounds what must happen: long, because a busy machine is no failure.
	patience = 30 * time.Second
	// settled is how long after an attack its effect would have shown.
	settled = 40 * time.Millisecond
)

// The users of a site.
const (
	prodSidecar    = "prod-sidecar"
	prodPeer       = "prod-peer"
	stagingSidecar = "staging-sidecar"
	publisher      = "publisher" // of prod and staging
	chiefPublisher = "chief"     // of all environments
	streams        = "FLAGS_prod FLAGS_staging LEDGER_prod LEDGER_staging SNAP_prod SNAP_staging CONTROL PEOPLE"
	evil           = "EVIL FLAGS_evil SNAP_evil" // streams that an attacker would make
	accountsAPI    = "flagside.api."
	plainAPI       = "$JS.API."
)

// site is a NATS server with two environments, which is attacked.
type site struct {
	t     *testing.T
	url   string
	api   string            // what the JetStream API is called there for its users
	seeds map[string]string // files with the seeds of the users
}

// eachSite runs a test against the embedded server and against one with the configuration that is printed for others.
func eachSite(t *testing.T, attack func(*site)) {
	t.Helper()
	for name, start := range map[string]func(*testing.T) *site{"embedded": embedded, "external": external} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			attack(start(t))
		})
	}
}

func newUsers(t *testing.T) (users []natsserver.User, seeds map[string]string) {
	t.Helper()
	seeds = make(map[string]string)
	for _, u := range []natsserver.User{
		{Name: prodSidecar, Role: natsserver.RoleSidecar, Environments: []string{"prod"}},
		{Name: prodPeer, Role: natsserver.RoleSidecar, Environments: []string{"prod"}},
		{Name: stagingSidecar, Role: natsserver.RoleSidecar, Environments: []string{"staging"}},
		{Name: publisher, Role: natsserver.RolePublisher, Environments: []string{"prod", "staging"}},
		{Name: chiefPublisher, Role: natsserver.RolePublisher},
	} {
		made, seed, err := natsserver.NewUser(u)
		if err != nil {
			t.Fatal(err)
		}
		users = append(users, made)
		seeds[u.Name] = filepath.Join(t.TempDir(), u.Name)
		if err := os.WriteFile(seeds[u.Name], seed, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return users, seeds
}

// embedded starts the server that a publisher embeds.
func embedded(t *testing.T) *site {
	t.Helper()
	users, seeds := newUsers(t)
	file := filepath.Join(t.TempDir(), "users.json")
	if err := natsserver.WriteUsers(file, users); err != nil {
		t.Fatal(err)
	}
	s := startEmbedded(t, natsserver.Options{UsersFile: file})
	return newSite(t, s.ClientURL(), accountsAPI, seeds)
}

func startEmbedded(t *testing.T, o natsserver.Options) *natsserver.Server {
	t.Helper()
	o.StoreDir, o.Addr, o.Logger = t.TempDir(), "127.0.0.1:0", zerolog.Nop()
	s, err := natsserver.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	ready, done := context.WithTimeout(t.Context(), patience)
	defer done()
	if err := s.Ready(ready); err != nil {
		t.Fatal(err)
	}
	return s
}

// external starts a server with the configuration that "flagside credentials config" prints.
func external(t *testing.T) *site {
	t.Helper()
	users, seeds := newUsers(t)
	config, err := natsserver.ServerConfig(users)
	if err != nil {
		t.Fatal(err)
	}
	return newSite(t, startConfigured(t, string(config)), accountsAPI, seeds)
}

// unprotected starts a server with one account for all, where permissions alone keep users from what they must not do.
func unprotected(t *testing.T) *site {
	t.Helper()
	users, seeds := newUsers(t)
	var config strings.Builder
	config.WriteString("authorization { users: [\n")
	for _, u := range users {
		allowed := `"$JS.API.STREAM.CREATE.*", "$JS.API.STREAM.UPDATE.*", "$JS.API.STREAM.INFO.*", "$JS.API.STREAM.MSG.GET.*", ` +
			`"$JS.API.DIRECT.GET.>", "flags.>", "ledger.>", "control.>", "snap.>", "people.>", "heartbeat.>"`
		if u.Role == natsserver.RoleSidecar {
			e := u.Environments[0]
			allowed = fmt.Sprintf(`"$JS.API.STREAM.INFO.FLAGS_%[1]s", "$JS.API.STREAM.MSG.GET.FLAGS_%[1]s", "$JS.API.DIRECT.GET.FLAGS_%[1]s", "usage.%[1]s.>"`, e)
		}
		fmt.Fprintf(&config, "{ nkey: %s, permissions: { publish: { allow: [%s] } } }\n", u.NKey, allowed)
	}
	config.WriteString("] }\n")
	return newSite(t, startConfigured(t, config.String()), plainAPI, seeds)
}

func startConfigured(t *testing.T, config string) (url string) {
	t.Helper()
	o := &server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true, JetStream: true, StoreDir: t.TempDir()}
	if err := o.ProcessConfigString(config); err != nil {
		t.Fatal(err)
	}
	s, err := server.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	if !s.ReadyForConnections(patience) {
		t.Fatal("the server does not start")
	}
	return s.ClientURL()
}

// newSite creates the environments, with a flag, a record, a snapshot and a person in each.
func newSite(t *testing.T, url, api string, seeds map[string]string) *site {
	t.Helper()
	s := &site{t: t, url: url, api: api, seeds: seeds}
	conn, err := flagsync.Connect(t.Context(), flagsync.ConnectOptions{URL: url, Keyring: trusttest.Default().PublisherKeyring(), Signer: trusttest.Default().Signer(), NKey: seeds[chiefPublisher], Logger: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	environments, err := writer.OpenEnvironments(t.Context(), conn, 1)
	if err != nil {
		t.Fatal(err)
	}
	chief := s.connect(chiefPublisher)
	if answer := s.ask(chief, "STREAM.CREATE.PEOPLE", map[string]any{
		"name": "PEOPLE", "subjects": []string{"people.>"}, "storage": "file", "max_msgs_per_subject": 1,
	}); answer["error"] != nil {
		t.Fatal(answer)
	}
	for _, name := range []string{"prod", "staging"} {
		if _, err := environments.Create(t.Context(), name, writer.Order{Actor: "tester"}); err != nil {
			t.Fatal(err)
		}
		s.change(conn, name)
		for _, subject := range []string{"ledger." + name + ".records", "snap." + name + ".manifest", "people." + name} {
			if _, err := chief.Request(subject, []byte("honest"), patience); err != nil {
				t.Fatal(err)
			}
		}
	}
	return s
}

// change writes a flag.
func (s *site) change(conn *flagsync.Conn, environment string) {
	s.t.Helper()
	log, err := writer.OpenLog(s.t.Context(), conn, writer.LogOptions{Environment: environment, Replicas: 1})
	if err != nil {
		s.t.Fatal(err)
	}
	head, err := log.Head(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	outcome, err := log.Append(s.t.Context(), trusttest.Basis(s.t, log, head), writer.Change{
		OpID: fmt.Sprint("op-", head.Revision), Actor: "tester", Time: time.Unix(1, 0),
		Documents: []document.Document{{Kind: document.KindFlag, Key: "honest", Body: []byte("{}")}},
	})
	if err != nil || outcome.State != writer.Committed {
		s.t.Fatalf("append: %v, %v", outcome.State, err)
	}
}

// connect returns a client with the credentials of a user, as an attacker has it: nothing holds it back but the server.
func (s *site) connect(user string) *nats.Conn {
	s.t.Helper()
	key, err := nats.NkeyOptionFromSeed(s.seeds[user])
	if err != nil {
		s.t.Fatal(err)
	}
	return connect(s.t, s.url, key, nats.CustomInboxPrefix(inbox(user)))
}

// inbox is where replies to a user come to.
func inbox(user string) string {
	if environment, isSidecar := strings.CutSuffix(user, "-sidecar"); isSidecar {
		return "_SC." + environment + "." + user
	}
	if user == prodPeer {
		return "_SC.prod." + user
	}
	return "_INBOX." + user
}

func connect(t *testing.T, url string, options ...nats.Option) *nats.Conn {
	t.Helper()
	c, err := nats.Connect(url, append(options, nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// ask asks the JetStream API as an honest client.
func (s *site) ask(c *nats.Conn, call string, body any) map[string]any {
	s.t.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		s.t.Fatal(err)
	}
	reply, err := c.Request(s.api+call, data, patience)
	if err != nil {
		s.t.Fatalf("%s: %v", call, err)
	}
	var answer map[string]any
	if err := json.Unmarshal(reply.Data, &answer); err != nil {
		s.t.Fatal(err)
	}
	return answer
}

// trimmed returns the configuration of a stream as it would have to be for all but its newest message to go.
func (s *site) trimmed(stream string) string {
	s.t.Helper()
	c := s.connect(chiefPublisher)
	defer c.Close()
	config, there := s.ask(c, "STREAM.INFO."+stream, nil)["config"].(map[string]any)
	if !there {
		return ""
	}
	config["max_msgs"] = 1
	body, err := json.Marshal(config)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(body)
}

// state returns what all streams are and hold, "gone" for one that is.
func (s *site) state() map[string]any {
	s.t.Helper()
	c := s.connect(chiefPublisher)
	defer c.Close()
	all := make(map[string]any)
	for stream := range strings.FieldsSeq(streams + " " + evil) {
		info := s.ask(c, "STREAM.INFO."+stream, nil)
		if info["error"] != nil {
			all[stream] = "gone"
			continue
		}
		state, _ := info["state"].(map[string]any)
		all[stream] = map[string]any{
			"config": info["config"], "first": state["first_seq"], "last": state["last_seq"], "messages": state["messages"], "bytes": state["bytes"],
		}
	}
	return all
}

// shape returns what all streams are, and where they begin: what is left when publishers write, as they may.
func (s *site) shape() map[string]any {
	s.t.Helper()
	all := s.state()
	for _, stream := range all {
		if stream, there := stream.(map[string]any); there {
			delete(stream, "last")
			delete(stream, "messages")
			delete(stream, "bytes")
		}
	}
	return all
}

// unchanged fails the test unless all streams are as they were.
func (s *site) unchanged(what string, before map[string]any) {
	s.t.Helper()
	if diff := s.difference(before); diff != "" {
		s.t.Errorf("%s has an effect (-before +after):\n%s", what, diff)
	}
}

// difference returns what has become of the streams, once the effect of an attack would have shown.
func (s *site) difference(before map[string]any) string {
	s.t.Helper()
	time.Sleep(settled)
	return cmp.Diff(before, s.state())
}

// listener collects what a user hears.
type listener struct {
	conn *nats.Conn

	mu    sync.Mutex
	heard []string
}

// listen subscribes to subjects as a user, and returns what it hears from then on. What is refused is not heard.
func (s *site) listen(user string, subjects ...string) *listener {
	s.t.Helper()
	l := &listener{conn: s.connect(user)}
	for _, subject := range subjects {
		if _, err := l.conn.Subscribe(subject, func(msg *nats.Msg) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.heard = append(l.heard, msg.Subject)
		}); err != nil {
			s.t.Fatal(err)
		}
	}
	if err := l.conn.FlushTimeout(patience); err != nil {
		s.t.Fatal(err)
	}
	return l
}

// subjects returns what was heard, each once.
func (l *listener) subjects() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make(map[string]bool)
	for _, subject := range l.heard {
		all[subject] = true
	}
	return slices.Sorted(maps.Keys(all))
}

// refused publishes as an attacker and reports whether the server says that it must not.
func refused(t *testing.T, c *nats.Conn, subject string) bool {
	t.Helper()
	if err := errors.Join(c.Publish(subject, []byte("forged")), c.FlushTimeout(patience)); err != nil {
		t.Fatal(err)
	}
	err := c.LastError()
	return errors.Is(err, nats.ErrPermissionViolation) && strings.Contains(err.Error(), `"`+subject+`"`)
}
