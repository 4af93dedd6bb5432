package natstest

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/flagside/flagside/internal/publisher/natsserver"
)

// Environment is the one that the sidecars of tests follow.
const Environment = "prod"

// operator is the name and password of a user that may do everything, as only
// tests and people do.
const operator = "operator"

// Authorization returns the part of a server's configuration that lets in what
// `publisher credentials config` writes for a publisher and for a sidecar of
// [Environment], and the operator that [Connect] connects as. Whoever says
// nothing about itself is the publisher.
func Authorization(tb testing.TB) []byte {
	tb.Helper()
	publisher := natsserver.User{Name: "publisher", NKey: public(tb, keyPair(tb, natsserver.RolePublisher)), Role: natsserver.RolePublisher}
	sidecar := natsserver.User{
		Name: "sidecar", NKey: public(tb, keyPair(tb, natsserver.RoleSidecar)), Role: natsserver.RoleSidecar, Environments: []string{Environment},
	}
	config, err := natsserver.ServerConfig([]natsserver.User{publisher, sidecar})
	if err != nil {
		tb.Fatal(err)
	}
	const users = "users: ["
	if strings.Count(string(config), users) != 1 {
		tb.Fatalf("no list of users is in:\n%s", config)
	}
	unbound := fmt.Sprintf("%s { user: %s, password: %s },", users, operator, operator)
	return fmt.Appendf(nil, "%s\nno_auth_user: %s\n", strings.Replace(string(config), users, unbound, 1), publisher.NKey)
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

// asOperator is an option of a plain connection.
func asOperator() nats.Option { return nats.UserInfo(operator, operator) }
