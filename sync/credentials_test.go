package flagsync_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"

	"github.com/flagside/flagside/internal/trusttest"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/writer"
)

// identity is a key pair and its public half.
type identity struct {
	nkeys.KeyPair
	public string
}

func newIdentity(tb testing.TB, create func() (nkeys.KeyPair, error)) identity {
	tb.Helper()
	pair, err := create()
	if err != nil {
		tb.Fatal(err)
	}
	public, err := pair.PublicKey()
	if err != nil {
		tb.Fatal(err)
	}
	return identity{KeyPair: pair, public: public}
}

// startWithOperator runs a server that trusts an operator, and returns it with
// a credentials file of a user.
func startWithOperator(tb testing.TB) (s *server.Server, credentials string) {
	tb.Helper()
	operator, user := newIdentity(tb, nkeys.CreateOperator), newIdentity(tb, nkeys.CreateUser)
	account, system := newIdentity(tb, nkeys.CreateAccount), newIdentity(tb, nkeys.CreateAccount)
	must := func(text string, err error) string {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
		return text
	}
	claims := jwt.NewOperatorClaims(operator.public)
	trusted, err := jwt.DecodeOperatorClaims(must(claims.Encode(operator)))
	if err != nil {
		tb.Fatal(err)
	}
	accountClaims := jwt.NewAccountClaims(account.public)
	accountClaims.Limits.JetStreamLimits = jwt.JetStreamLimits{DiskStorage: -1, MemoryStorage: -1, Streams: -1, Consumer: -1}
	resolver := &server.MemAccResolver{}
	for public, encoded := range map[string]string{
		account.public: must(accountClaims.Encode(operator)),
		system.public:  must(jwt.NewAccountClaims(system.public).Encode(operator)),
	} {
		if err := resolver.Store(public, encoded); err != nil {
			tb.Fatal(err)
		}
	}
	seed, err := user.Seed()
	if err != nil {
		tb.Fatal(err)
	}
	file, err := jwt.FormatUserConfig(must(jwt.NewUserClaims(user.public).Encode(account)), seed)
	if err != nil {
		tb.Fatal(err)
	}
	credentials = filepath.Join(tb.TempDir(), "user.creds")
	if err := os.WriteFile(credentials, file, 0o600); err != nil {
		tb.Fatal(err)
	}
	return startServer(tb, &server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, JetStream: true, StoreDir: tb.TempDir(),
		TrustedOperators: []*jwt.OperatorClaims{trusted}, AccountResolver: resolver, SystemAccount: system.public,
	}), credentials
}

// TestCredentials connects with a credentials file, and not without.
func TestCredentials(t *testing.T) {
	t.Parallel()
	s, credentials := startWithOperator(t)
	for file, allowed := range map[string]bool{credentials: true, "": false} {
		c, err := flagsync.Connect(t.Context(), flagsync.ConnectOptions{Keyring: trusttest.Default().Keyring(), URL: s.ClientURL(), Credentials: file, Logger: testLogger})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		if _, err := writer.OpenEnvironments(t.Context(), c, 1); (err == nil) != allowed {
			t.Errorf("credentials %q: %v, want that it is allowed: %t", file, err, allowed)
		}
	}
}
