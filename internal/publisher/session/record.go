package session

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/flagside/flagside/internal/publisher/access"
	"github.com/flagside/flagside/sync/bucket"
	"github.com/flagside/flagside/sync/changelog"
)

// How tells how someone signed in.
type How string

// The ways to sign in.
const (
	// ByToken is with an API token.
	ByToken How = "token"
	// ByIssuer is by an OpenID Connect issuer.
	ByIssuer How = "oidc"
	// ByCode is with the one-time code that flagside dev prints.
	ByCode How = "dev"
)

// recordFormat is the version of stored records that is known here.
const recordFormat = 1

// maxAgent bounds what is kept of the name of a browser, in bytes.
const maxAgent = 200

// record is a session as it is stored.
type record struct {
	Format  int              `json:"format"`
	ID      string           `json:"id"`
	Hash    changelog.Digest `json:"hash"` // of the secret in the cookie
	Grant   access.Grant     `json:"grant"`
	How     How              `json:"how"`
	Created time.Time        `json:"created"`
	Expires time.Time        `json:"expires"`
	// Encrypted tells that it was made over HTTPS. It counts over nothing else then.
	Encrypted bool `json:"encrypted"`
	// Agent is what the browser calls itself.
	Agent string `json:"agent,omitempty"`
}

// sealed is a record with the signature of a publisher over its bytes.
type sealed struct {
	Record    jsontext.Value      `json:"record"`
	Signature changelog.Signature `json:"signature"`
}

// key is the key of the session in the bucket: by id first, so that one is found by its id alone.
func (r record) key() string { return r.ID + "." + ownerOf(r.Grant.Principal().PolicyID()) }

// seal returns the value that is stored.
func (r record) seal(signer *changelog.Signer) (bucket.Value, error) {
	body, err := json.Marshal(r, json.Deterministic(true))
	if err != nil {
		return bucket.Value{}, fmt.Errorf("session: %w", err)
	}
	signature, err := signer.SignSession(r.ID, sha256.Sum256(body))
	if err != nil {
		return bucket.Value{}, fmt.Errorf("session: %w", err)
	}
	data, err := json.Marshal(sealed{Record: body, Signature: signature}, jsontext.PreserveRawStrings(true))
	if err != nil {
		return bucket.Value{}, fmt.Errorf("session: %w", err)
	}
	return bucket.Value{Key: r.key(), Data: data}, nil
}

// errForeign means that a stored session is not one that a publisher has made for this place.
var errForeign = errors.New("a stored session is not signed by a publisher, or not in its place")

// unseal reads a value that is stored, if a publisher with a key that counts has signed it for its place.
func unseal(v bucket.Value, keyring *changelog.Keyring) (record, error) {
	var s sealed
	if err := json.Unmarshal(v.Data, &s); err != nil {
		return record{}, fmt.Errorf("%w: %w", errForeign, err)
	}
	var r record
	if err := json.Unmarshal(s.Record, &r); err != nil {
		return record{}, fmt.Errorf("%w: %w", errForeign, err)
	}
	if err := keyring.VerifySession(r.ID, sha256.Sum256(s.Record), s.Signature); err != nil {
		return record{}, fmt.Errorf("%w: %w", errForeign, err)
	}
	if r.Format != recordFormat || !isID(r.ID) || r.key() != v.Key {
		return record{}, errForeign
	}
	return r, nil
}
