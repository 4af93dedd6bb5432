package natstest

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

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
// `publisher credentials config` writes for a publisher and for a sidecar of
// [Environment], and the users that [Connect] and the like connect as.
// A client without credentials is the publisher.
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
	text := string(config)
	streams := fmt.Sprintf("%q: {", streamsAccount)
	text = strings.Replace(text, streams, streams+`"users": [`+unbound(operator)+`],`, 1)
	for key, name := range map[string]string{publisher.NKey: speaker, sidecar.NKey: neighbour} {
		user := regexp.MustCompile(`\{\s*"nkey": "` + key + `"`)
		text = user.ReplaceAllString(text, unbound(name)+`, $0`)
	}
	for _, name := range []string{operator, speaker, neighbour} {
		if strings.Count(text, unbound(name)) != 1 {
			tb.Fatalf("there is no place for the user %s in:\n%s", name, config)
		}
	}
	return fmt.Appendf(nil, "%s\nno_auth_user: %s\n", text, publisher.NKey)
}

// unbound configures a user that may do everything in its account.
func unbound(name string) string { return fmt.Sprintf("{user: %[1]s, password: %[1]s}", name) }

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
