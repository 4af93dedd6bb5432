package natsserver

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/nats-io/nkeys"

	"github.com/flagside/flagside/internal/fileaccess"
	flagsync "github.com/flagside/flagside/sync"
)

// Role says what a user is there for, and so which subjects it needs.
type Role string

// The roles of users.
const (
	RoleSidecar   Role = "sidecar"
	RolePublisher Role = "publisher"
)

// User is a NATS user that proves with an NKey who it is. Its seed stands elsewhere: here is what is public.
type User struct {
	// Name is for people, and names the user in its file.
	Name string `json:"name"`
	NKey string `json:"nkey"`
	Role Role   `json:"role"`
	// Environments are what the user is for: exactly one for a sidecar. A publisher may create their streams and remove their old snapshots
	// only; none means those of all.
	Environments []string `json:"environments,omitempty"`
	// Inbox is the inbox prefix of a sidecar; empty means _SC.<environment>, which all of its environment have by default.
	Inbox string `json:"inbox,omitempty"`
}

// NewUser returns a user with a new NKey, and its seed, which is the secret.
func NewUser(u User) (made User, seed []byte, err error) {
	pair, err := nkeys.CreateUser()
	if err != nil {
		return User{}, nil, err
	}
	defer pair.Wipe()
	if u.NKey, err = pair.PublicKey(); err != nil {
		return User{}, nil, err
	}
	if seed, err = pair.Seed(); err != nil {
		return User{}, nil, err
	}
	return u, slices.Clone(seed), u.validate() // the pair wipes its own copy
}

func (u User) validate() error {
	switch {
	case u.Name == "":
		return errors.New("a NATS user needs a name")
	case !nkeys.IsValidPublicUserKey(u.NKey):
		return fmt.Errorf("NATS user %s: its nkey is not the public NKey of a user: it begins with U", u.Name) // it may be a seed
	case u.Role != RoleSidecar && u.Role != RolePublisher:
		return fmt.Errorf("NATS user %s: the role %q is neither %s nor %s", u.Name, u.Role, RoleSidecar, RolePublisher)
	case u.Role == RoleSidecar && len(u.Environments) != 1:
		return fmt.Errorf("NATS user %s: %d environments are named: name one, because a sidecar follows one", u.Name, len(u.Environments))
	}
	for _, environment := range u.Environments {
		if err := flagsync.ValidateEnvironment(environment); err != nil {
			return fmt.Errorf("NATS user %s: %w", u.Name, err)
		}
	}
	// The same rules as for the connection of a sidecar.
	connection := flagsync.ConnectOptions{URL: "nats://localhost", InboxPrefix: u.Inbox}
	if err := connection.Validate(); err != nil {
		return fmt.Errorf("NATS user %s: %w", u.Name, err)
	}
	return nil
}

// permissions returns what the user may do.
func (u User) permissions() flagsync.Permissions {
	if u.Role == RolePublisher {
		return flagsync.PublisherPermissions(u.Environments...)
	}
	inbox := u.Inbox
	if inbox == "" {
		inbox = "_SC." + u.Environments[0]
	}
	return flagsync.SidecarPermissions(u.Environments[0], inbox)
}

// NKeyOf returns the public NKey of the user with a seed, around which there may be white space. Errors do not repeat it.
func NKeyOf(seed []byte) (string, error) {
	pair, err := nkeys.FromSeed(bytes.TrimSpace(seed))
	if err != nil {
		return "", errSeed
	}
	defer pair.Wipe()
	public, err := pair.PublicKey()
	if err != nil || !nkeys.IsValidPublicUserKey(public) {
		return "", errSeed
	}
	return public, nil
}

var errSeed = errors.New("it is no seed of a NATS user")

// ReadUsers reads the users in a file. One that does not exist is an error that os.ErrNotExist matches.
func ReadUsers(file string) ([]User, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("NATS users: %w", err)
	}
	users, err := ParseUsers(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return users, nil
}

// ParseUsers reads the text of a file of users.
func ParseUsers(text []byte) ([]User, error) {
	var users []User
	if err := json.Unmarshal(text, &users, json.RejectUnknownMembers(true)); err != nil {
		return nil, fmt.Errorf("NATS users: %w", err)
	}
	for i, u := range users {
		if err := u.validate(); err != nil {
			return nil, err
		}
		if slices.ContainsFunc(users[:i], func(other User) bool { return other.Name == u.Name || other.NKey == u.NKey }) {
			return nil, fmt.Errorf("two NATS users have the name or the NKey of %s: remove one", u.Name)
		}
	}
	return users, nil
}

// FormatUsers returns the text of a file of users.
func FormatUsers(users []User) ([]byte, error) {
	text, err := json.Marshal(users, jsontext.WithIndent("  "))
	if err != nil {
		return nil, fmt.Errorf("NATS users: %w", err)
	}
	return append(text, '\n'), nil
}

// WriteUsers replaces a file of users as a whole.
func WriteUsers(file string, users []User) error {
	text, err := FormatUsers(users)
	if err != nil {
		return err
	}
	if err := fileaccess.Replace(file, text); err != nil {
		return fmt.Errorf("NATS users: %w", err)
	}
	return nil
}

// ownUser is who this process is for its server: the publisher by its name, and by the other name one who may delete streams, which a publisher
// may not. It lives as long as the process.
type ownUser struct{ name, deleting, password string }

func newOwnUser() ownUser {
	return ownUser{"publisher-" + rand.Text(), "deleting-" + rand.Text(), rand.Text() + rand.Text()}
}
