package cli

import (
	"fmt"

	"github.com/flagside/flagside/internal/config"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/client"
)

// connection is where the publisher is, and who asks it.
type connection struct {
	address string
	ca      string
	token   config.Secret

	where       *config.Option // that the address comes by
	authorities *config.Option // that the CA certificates come by
	secret      *config.Option // that the token comes by
}

func (c *connection) declare(set *config.Set) {
	c.where = set.String(&c.address, "admin", "http://"+api.DefaultAddress, "address of the publisher's API, http or https").Shared()
	c.authorities = set.File(&c.ca, "admin-ca", "", "PEM file with CA certificates for the publisher; without it the system's").Shared()
	c.secret = set.Secret(&c.token, "token", "file with your API token; without a token you are anonymous").Shared()
}

// tokenFile returns the file that has the token; empty if it does not come from one.
func (c *connection) tokenFile() string {
	if c.secret.Source() == "" {
		return ""
	}
	return c.secret.Text()
}

// client returns a client for the connection; it does not connect yet. A token of the context in use is for no other publisher than that of the
// context.
func (c *connection) client() (*client.Client, error) {
	if fromContext(c.secret) && c.address != c.where.FallbackText() {
		return nil, &failure{code: exitRefused, text: visible(fmt.Sprintf(
			"the token of %s is for %s, and is not sent to %s: give one with --token-file", c.secret.Source(), c.where.FallbackText(), c.address))}
	}
	return client.New(client.Options{Address: c.address, Token: c.token.Reveal(), CAFile: c.ca})
}
