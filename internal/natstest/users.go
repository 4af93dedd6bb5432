package natstest

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/nats-io/nkeys"

	"github.com/flagside/flagside/internal/publisher/natsserver"
)

// Environment is the one that the sidecars of tests follow.
const Environment = "prod"

// Names, and passwords, of users that may do everything in their account, as only
// tests and people do: with the streams, among publishers, and among sidecars.
const (
	operator  = "operator"
	speaker   = "speaker"
	neighbour = "neighbour"
)

// Authorization returns the part of a server's configuration that lets in what
// `flagside credentials config` writes for a publisher and for a sidecar of
// [Environment], and the users that [Connect] and the like connect as.
// A client without credentials is the publisher.
func Authorization(tb testing.TB) []byte {
	tb.Helper()
	users := Users(tb)
	publisher := users[0]
	config, err := natsserver.ServerConfig(users)
	if err != nil {
		tb.Fatal(err)
	}
	text, found := strings.CutPrefix(string(config), "accounts: ")
	var accounts map[string]*account
	if err := json.Unmarshal([]byte(text), &accounts, json.RejectUnknownMembers(true)); err != nil || !found {
		tb.Fatalf("%v: no accounts are in:\n%s", err, config)
	}
	for at, name := range map[string]string{streamsAccount: operator, publishersAccount: speaker, "SC_" + Environment: neighbour} {
		accounts[at].Users = append(accounts[at].Users, map[string]string{"user": name, "password": name})
	}
	publishers := accounts[publishersAccount]
	publishers.Imports = anyEnvironment(publishers.Imports)
	changed, err := json.Marshal(accounts)
	if err != nil {
		tb.Fatal(err)
	}
	return fmt.Appendf(nil, "accounts: %s\nno_auth_user: %s\n", changed, publisher.NKey)
}

// Users returns the publisher and the sidecar of [Environment] that the servers of this package let in.
func Users(tb testing.TB) []natsserver.User {
	tb.Helper()
	return []natsserver.User{
		{Name: "publisher", NKey: public(tb, keyPair(tb, natsserver.RolePublisher)), Role: natsserver.RolePublisher},
		{Name: "sidecar", NKey: public(tb, keyPair(tb, natsserver.RoleSidecar)), Role: natsserver.RoleSidecar, Environments: []string{Environment}},
	}
}

// account is one of a printed configuration.
type account struct {
	JetStream string       `json:"jetstream,omitzero"`
	Users     []any        `json:"users,omitempty"`
	Exports   []any        `json:"exports,omitempty"`
	Imports   []importFrom `json:"imports,omitempty"`
}

type importFrom struct {
	Service *subject `json:"service,omitempty"`
	Stream  *subject `json:"stream,omitempty"`
	To      string   `json:"to,omitzero"`
}

type subject struct {
	Account string `json:"account"`
	Subject string `json:"subject"`
}

// anyEnvironment lets publishers create and purge the streams of environments that
// no user is for: an operator would name them.
func anyEnvironment(all []importFrom) []importFrom {
	var rest []importFrom
	for _, i := range all {
		if !strings.Contains(i.To, ".STREAM.CREATE.") && !strings.Contains(i.To, ".STREAM.PURGE.") {
			rest = append(rest, i)
		}
	}
	for _, call := range []string{"STREAM.CREATE.*", "STREAM.PURGE.*"} {
		rest = append(rest, importFrom{Service: &subject{streamsAccount, "$JS.API." + call}, To: "flagside.api." + call})
	}
	return rest
}

// SidecarKey returns the path of a file with the seed of the sidecar's user, for
// --nats-nkey. It is the same user for all servers of this package.
func SidecarKey(tb testing.TB) string {
	tb.Helper()
	seed, err := keyPair(tb, natsserver.RoleSidecar).Seed()
	if err != nil {
		tb.Fatal(err)
	}
	file := filepath.Join(tb.TempDir(), "sidecar.nk")
	if err := os.WriteFile(file, seed, 0o600); err != nil {
		tb.Fatal(err)
	}
	return file
}

// keyPair returns the NKey of a role, always the same.
func keyPair(tb testing.TB, role natsserver.Role) nkeys.KeyPair {
	tb.Helper()
	secret := sha256.Sum256([]byte(role))
	pair, err := nkeys.FromRawSeed(nkeys.PrefixByteUser, secret[:])
	if err != nil {
		tb.Fatal(err)
	}
	return pair
}

func public(tb testing.TB, pair nkeys.KeyPair) string {
	tb.Helper()
	key, err := pair.PublicKey()
	if err != nil {
		tb.Fatal(err)
	}
	return key
}
