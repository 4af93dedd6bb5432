package natsserver_test

import (
	"context"
	"errors"
	"flag"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/publisher/natsserver"
	"github.com/flagside/flagside/internal/trusttest"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/follow"
	"github.com/flagside/flagside/sync/queue"
	"github.com/flagside/flagside/sync/writer"
)

// signer does what nsc would: it keeps accounts, signs them as an operator, and activations as an account.
type signer struct {
	t        *testing.T
	operator nkeys.KeyPair
	keys     map[string]nkeys.KeyPair // of accounts, by name
	accounts map[string]*jwt.AccountClaims
	users    map[string]string // JWT by public key
	token    string            // the activation that was made last
}

func newSigner(t *testing.T) *signer {
	t.Helper()
	return &signer{
		t: t, operator: keyPair(t, nkeys.CreateOperator), keys: make(map[string]nkeys.KeyPair),
		accounts: make(map[string]*jwt.AccountClaims), users: make(map[string]string),
	}
}

func keyPair(t *testing.T, create func() (nkeys.KeyPair, error)) nkeys.KeyPair {
	t.Helper()
	pair, err := create()
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

func public(t *testing.T, pair nkeys.KeyPair) string {
	t.Helper()
	key, err := pair.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// options are those of nsc that are used. Others are an error.
type options struct {
	name, account, subject, token, local, kind, target, output, key, publish, subscribe, deny string

	private, service bool
	threshold        time.Duration
}

func (s *signer) parse(words []string) (o options) {
	s.t.Helper()
	set := flag.NewFlagSet("nsc", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	for name, p := range map[string]*string{
		"name": &o.name, "account": &o.account, "subject": &o.subject, "token": &o.token, "local-subject": &o.local, "response-type": &o.kind,
		"target-account": &o.target, "output-file": &o.output, "public-key": &o.key, "allow-pub": &o.publish, "allow-sub": &o.subscribe, "deny-pub": &o.deny,
	} {
		set.StringVar(p, name, "", "")
	}
	set.BoolVar(&o.private, "private", false, "")
	set.BoolVar(&o.service, "service", false, "")
	set.DurationVar(&o.threshold, "response-threshold", 0, "")
	for _, name := range []string{"js-mem-storage", "js-disk-storage", "js-streams", "js-consumer"} {
		set.Int(name, 0, "")
	}
	if err := set.Parse(words); err != nil || set.NArg() > 0 {
		s.t.Fatalf("%q: %v", words, err)
	}
	return o
}

// words splits a line as a shell does, with a command in it as one word.
func words(line string) []string {
	var all []string
	line = strings.ReplaceAll(line, `"$(nsc describe account `, "'describe:")
	line = strings.ReplaceAll(line, ` --field sub | tr -d '"')"`, "'")
	for line = strings.TrimSpace(line); line != ""; line = strings.TrimSpace(line) {
		var word string
		if rest, isQuoted := strings.CutPrefix(line, "'"); isQuoted {
			word, line, _ = strings.Cut(rest, "'")
		} else {
			word, line, _ = strings.Cut(line, " ")
		}
		all = append(all, word)
	}
	return all
}

func (s *signer) run(script string) {
	s.t.Helper()
	for line := range strings.Lines(script) {
		rest, isCommand := strings.CutPrefix(strings.TrimSpace(line), "nsc ")
		if !isCommand {
			continue
		}
		all := words(rest)
		command, o := strings.Join(all[:2], " "), s.parse(all[2:])
		switch command {
		case "add account":
			s.keys[o.name] = keyPair(s.t, nkeys.CreateAccount)
			s.accounts[o.name] = jwt.NewAccountClaims(public(s.t, s.keys[o.name]))
		case "edit account":
			s.accounts[o.name].Limits.JetStreamLimits = jwt.JetStreamLimits{MemoryStorage: -1, DiskStorage: -1, Streams: -1, Consumer: -1}
		case "add export":
			s.export(o)
		case "generate activation":
			s.activate(o)
		case "add import":
			s.imports(o)
		case "add user":
			s.user(o)
		default:
			s.t.Fatalf("nsc knows no %q", command)
		}
	}
}

func (s *signer) export(o options) {
	e := &jwt.Export{Name: o.name, Subject: jwt.Subject(o.subject), Type: jwt.Stream, TokenReq: o.private}
	if o.service {
		e.Type, e.ResponseType, e.ResponseThreshold = jwt.Service, jwt.ResponseType(o.kind), o.threshold
		if o.threshold < 5*time.Second || o.threshold > 10*time.Second {
			s.t.Errorf("%s: answers are waited for %s", o.subject, o.threshold)
		}
	}
	s.accounts[o.account].Exports.Add(e)
}

func (s *signer) activate(o options) {
	s.t.Helper()
	target, _ := strings.CutPrefix(o.target, "describe:")
	claims := jwt.NewActivationClaims(s.accounts[target].Subject)
	claims.ImportSubject, claims.ImportType = jwt.Subject(o.subject), jwt.Stream
	for _, e := range s.accounts[o.account].Exports {
		if claims.ImportSubject.IsContainedIn(e.Subject) {
			claims.ImportType = e.Type
			break
		}
	}
	var err error
	if s.token, err = claims.Encode(s.keys[o.account]); err != nil {
		s.t.Fatal(err)
	}
}

func (s *signer) imports(o options) {
	s.t.Helper()
	activation, err := jwt.DecodeActivationClaims(s.token)
	if err != nil {
		s.t.Fatal(err)
	}
	s.accounts[o.account].Imports.Add(&jwt.Import{
		Name: o.name, Subject: activation.ImportSubject, Account: activation.Issuer, Token: s.token, Type: activation.ImportType,
		LocalSubject: jwt.RenamingSubject(o.local),
	})
}

func (s *signer) user(o options) {
	s.t.Helper()
	claims := jwt.NewUserClaims(o.key)
	claims.Name = o.name
	claims.Pub.Allow.Add(strings.Split(o.publish, ",")...)
	claims.Sub.Allow.Add(strings.Split(o.subscribe, ",")...)
	if o.deny != "" {
		claims.Pub.Deny.Add(strings.Split(o.deny, ",")...)
	}
	var err error
	if s.users[o.key], err = claims.Encode(s.keys[o.account]); err != nil {
		s.t.Fatal(err)
	}
}

// start runs a server that trusts the operator and knows the accounts.
func (s *signer) start() *server.Server {
	s.t.Helper()
	resolver := &server.MemAccResolver{}
	system := keyPair(s.t, nkeys.CreateAccount)
	s.accounts["SYS"] = jwt.NewAccountClaims(public(s.t, system))
	for name, claims := range s.accounts {
		results := jwt.CreateValidationResults()
		claims.Validate(results)
		if errs := results.Errors(); len(errs) > 0 {
			s.t.Fatalf("account %s: %v", name, errs)
		}
		text, err := claims.Encode(s.operator)
		if err == nil {
			err = resolver.Store(claims.Subject, text)
		}
		if err != nil {
			s.t.Fatal(err)
		}
	}
	text, err := jwt.NewOperatorClaims(public(s.t, s.operator)).Encode(s.operator)
	if err != nil {
		s.t.Fatal(err)
	}
	trusted, err := jwt.DecodeOperatorClaims(text)
	if err != nil {
		s.t.Fatal(err)
	}
	n, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true, JetStream: true, StoreDir: s.t.TempDir(),
		TrustedOperators: []*jwt.OperatorClaims{trusted}, AccountResolver: resolver, SystemAccount: public(s.t, system),
	})
	if err != nil {
		s.t.Fatal(err)
	}
	n.Start()
	s.t.Cleanup(func() {
		n.Shutdown()
		n.WaitForShutdown()
	})
	if !n.ReadyForConnections(patience) {
		s.t.Fatal("the server does not start")
	}
	return n
}

// credentials writes a credentials file of a user.
func (s *signer) credentials(u natsserver.User, seedFile string) string {
	s.t.Helper()
	text, err := jwt.FormatUserConfig(s.users[u.NKey], read(s.t, seedFile))
	if err != nil {
		s.t.Fatal(err)
	}
	return writeFile(s.t, u.Name+".creds", text)
}

// fillQueue appends to a queue in the account of publishers, and consumes it.
func fillQueue(t *testing.T, c *flagsync.Conn) {
	t.Helper()
	q, err := queue.Open(t.Context(), c, queue.Options{
		Stream: flagsync.EventsStream("prod"), Subject: flagsync.EventsSubject("prod"), MaxAge: time.Hour, Replicas: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	consumer, err := q.Consumer(t.Context(), queue.ConsumerOptions{Name: "hook", AckWait: patience, Inactive: time.Hour}, true)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := q.Append(t.Context(), []byte("x"), "x", 0); err != nil {
		t.Fatal(err)
	}
	if _, err := q.Keep(t.Context(), []byte("y"), 1); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	d, err := consumer.Next(ctx)
	if err == nil {
		err = errors.Join(d.Working(ctx), d.Ack(ctx))
	}
	if err != nil || string(d.Data) != "x" {
		t.Errorf("%q, %v", d.Data, err)
	}
}

// The commands that are printed make accounts in which publishers and sidecars work, and sidecars reach nothing else.
func TestJWTCommands(t *testing.T) {
	t.Parallel()
	sidecar, sidecarSeed := sidecarOf(t, "sidecar", "prod")
	publisher, publisherSeed := newUser(t, natsserver.User{Name: "publisher", Role: natsserver.RolePublisher, Environments: []string{"prod", "staging"}})
	script, err := natsserver.JWTCommands([]natsserver.User{sidecar, publisher})
	if err != nil {
		t.Fatal(err)
	}
	s := newSigner(t)
	s.run(string(script))
	n := s.start()
	c := connect(t, flagsync.ConnectOptions{URL: n.ClientURL(), Keyring: trusttest.Default().PublisherKeyring(), Signer: trusttest.Default().Signer(), Credentials: s.credentials(publisher, publisherSeed)})
	environments, err := writer.OpenEnvironments(t.Context(), c, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"prod", "staging"} {
		if _, err := environments.Create(t.Context(), name, writer.Order{Actor: "tester"}); err != nil {
			t.Fatal(err)
		}
	}
	if c.WithoutAccounts() {
		t.Error("the publisher does without accounts")
	}
	fillQueue(t, c)
	credentials := s.credentials(sidecar, sidecarSeed)
	options := flagsync.ConnectOptions{URL: n.ClientURL(), Keyring: trusttest.Default().Keyring(), Credentials: credentials, InboxPrefix: "_SC.prod.x", Logger: zerolog.Nop()}
	if err := follow.Check(t.Context(), options, "prod"); err != nil {
		t.Error(err)
	}
	if err := follow.Check(t.Context(), options, "staging"); err == nil {
		t.Error("another environment can be followed")
	}
	attacker, err := nats.Connect(n.ClientURL(), nats.UserCredentials(credentials))
	if err != nil {
		t.Fatal(err)
	}
	defer attacker.Close()
	for _, reply := range []string{"$JS.API.STREAM.DELETE.FLAGS_staging", "flags.staging.x"} {
		if err := attacker.PublishRequest("flagside.api.DIRECT.GET.FLAGS_prod", reply, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := attacker.FlushTimeout(patience); err != nil {
		t.Fatal(err)
	}
	log, err := writer.OpenLog(t.Context(), c, writer.LogOptions{Environment: "staging", Replicas: 1})
	if err != nil {
		t.Fatal(err)
	}
	if head, err := log.Head(t.Context()); err != nil || head.Revision != 2 {
		t.Errorf("the log of staging ends at %d: %v", head.Revision, err)
	}
}
