package natsserver

import (
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// The configuration of a NATS server, as far as it is about accounts. The members
// are those of the server, which reads JSON too.
type (
	configAccount struct {
		JetStream string         `json:"jetstream,omitzero"`
		Users     []configUser   `json:"users,omitempty"`
		Exports   []configExport `json:"exports,omitempty"`
		Imports   []configImport `json:"imports,omitempty"`
	}
	configUser struct {
		NKey        string            `json:"nkey"`
		Permissions configPermissions `json:"permissions"`
	}
	configPermissions struct {
		Publish   configSubjects `json:"publish"`
		Subscribe configSubjects `json:"subscribe"`
	}
	configSubjects struct {
		Allow []string `json:"allow"`
		Deny  []string `json:"deny,omitempty"`
	}
	configExport struct {
		Service   string   `json:"service,omitzero"`
		Stream    string   `json:"stream,omitzero"`
		Accounts  []string `json:"accounts"`
		Response  string   `json:"response,omitzero"`
		Threshold string   `json:"response_threshold,omitzero"`
	}
	configImport struct {
		Service *configSubject `json:"service,omitempty"`
		Stream  *configSubject `json:"stream,omitempty"`
		To      string         `json:"to,omitzero"`
	}
	configSubject struct {
		Account string `json:"account"`
		Subject string `json:"subject"`
	}
)

// ServerConfig returns the part of a NATS server's configuration that lets the users in, for servers that are not embedded: the accounts.
func ServerConfig(users []User) ([]byte, error) {
	all := make(map[string]configAccount)
	for _, l := range layouts(environmentsOf(users)) {
		all[l.name] = l.config()
	}
	for _, u := range users {
		account := all[u.account()]
		p := u.permissions()
		account.Users = append(account.Users, configUser{u.NKey, configPermissions{
			Publish: configSubjects{Allow: p.Publish, Deny: p.DenyPublish}, Subscribe: configSubjects{Allow: p.Subscribe},
		}})
		all[u.account()] = account
	}
	text, err := json.Marshal(all, jsontext.WithIndent("  "), json.Deterministic(true))
	if err != nil {
		return nil, fmt.Errorf("NATS users: %w", err)
	}
	return fmt.Appendf(nil, "accounts: %s\n", text), nil
}

// environmentsOf returns the environments that users are for, by name.
func environmentsOf(users []User) []string {
	var all []string
	for _, u := range users {
		all = append(all, u.Environments...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// account returns the name of the account of a user.
func (u User) account() string {
	if u.Role == RolePublisher {
		return publishersAccount
	}
	return sidecarsAccount(u.Environments[0])
}

func (l layout) config() configAccount {
	var c configAccount
	if l.jetStream {
		c.JetStream = "enabled"
	}
	for _, o := range l.offers {
		c.Exports = append(c.Exports, o.config())
	}
	for _, t := range l.takes {
		c.Imports = append(c.Imports, t.config())
	}
	return c
}

func (o offer) config() configExport {
	if !o.Service {
		return configExport{Stream: o.Subject, Accounts: o.accounts}
	}
	e := configExport{Service: o.Subject, Accounts: o.accounts, Threshold: o.threshold().String()}
	if o.Streamed {
		e.Response = "stream"
	}
	return e
}

func (t take) config() configImport {
	subject := &configSubject{t.from, t.Subject}
	if !t.Service {
		return configImport{Stream: subject}
	}
	i := configImport{Service: subject}
	if t.Local != t.Subject {
		i.To = t.Local
	}
	return i
}
