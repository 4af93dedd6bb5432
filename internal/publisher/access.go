package publisher

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/fileaccess"
	"github.com/flagside/flagside/internal/lifecycle"
	"github.com/flagside/flagside/internal/publisher/access"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/writer"
)

const (
	// AdminTokenFile is the name of the file with the first token, in the data directory.
	AdminTokenFile = "admin-token"
	// adminTokenID is the id of the caller with that token.
	adminTokenID = "token:admin-file"
	// maxTokenFile bounds that file, and maxIssuersFile that with issuers, in bytes.
	maxTokenFile   = 4 << 10
	maxIssuersFile = 1 << 20
	// policyPoll is how often the policy file is looked at.
	policyPoll = time.Second
	// readRetry is how long tokens and persons are left alone when they cannot be read.
	readRetry = time.Second
)

// gate knows who may come in, and who may do what.
type gate struct {
	authenticator *access.Authenticator
	authorizer    *access.Authorizer
	tokens        *access.Tokens
	people        *access.People
	acts          *access.Acts
	tokensOnly    bool // no one comes in but by an API token
}

// newGate reads the policies, the issuers and the first token, which it makes if it is not there.
func newGate(o Options) (*gate, error) {
	g := &gate{tokens: access.NewTokens(time.Now, o.TokenLifetime), people: access.NewPeople(), acts: access.NewActs()}
	var err error
	if g.authorizer, err = access.NewAuthorizer(o.Policy, o.Logger); err != nil {
		return nil, err
	}
	issuers, err := readIssuers(o.Issuers)
	if err != nil {
		return nil, err
	}
	if err := verifyClientSecrets(issuers, o.Logger); err != nil {
		return nil, err
	}
	fixed := o.FixedTokens
	if o.AdminTokenFile != "" {
		secret, made, err := adminToken(o.AdminTokenFile)
		if err != nil {
			return nil, fmt.Errorf("admin token: %w", err)
		}
		if made {
			o.Logger.Info().Str("file", o.AdminTokenFile).Msg("first token created: use it with flagside login --token-file, or FLAGSIDE_TOKEN_FILE")
		}
		fixed = append(slices.Clip(fixed), access.FixedToken{Secret: secret, Principal: access.Principal{
			ID: adminTokenID, Name: "holder of the admin token file", Kind: access.KindToken, Groups: []string{access.RoleAdmin},
		}})
	}
	g.tokensOnly = len(fixed) == 0 && len(issuers) == 0
	g.authenticator, err = access.NewAuthenticator(access.AuthenticatorOptions{Tokens: g.tokens, People: g.people, Fixed: fixed, Issuers: issuers})
	return g, err
}

// Authorize implements control.Access.
func (g *gate) Authorize(q access.Question) access.Answer { return g.authorizer.Authorize(q) }

// Gone implements control.Access.
func (g *gate) Gone(id string) bool { return g.people.Gone(id) }

// Line implements control.Access.
func (g *gate) Line(principal string) []string { return g.tokens.Line(principal) }

// Identify implements control.Access.
func (g *gate) Identify(ctx context.Context, p access.Principal) (access.Principal, error) {
	return g.people.Identify(ctx, p)
}

// CatchUp implements control.Access.
func (g *gate) CatchUp(ctx context.Context) error { return g.tokens.CatchUp(ctx) }

// AuthorValid implements control.Access: it returns the author of something as policies know the author today.
func (g *gate) AuthorValid(author access.Principal) (access.Principal, error) {
	if err := g.tokens.Standing(author); err != nil {
		return author, err
	}
	return g.people.Standing(author)
}

// verifyClientSecrets refuses secrets of the console at issuers that others may write.
func verifyClientSecrets(issuers []access.Issuer, logger zerolog.Logger) error {
	var secrets []string
	for _, i := range issuers {
		if i.SignIn != nil {
			secrets = append(secrets, i.SignIn.ClientSecretFile)
		}
	}
	return fileaccess.VerifyAll(nil, secrets, func(file, warning string) { logger.Warn().Str("file", file).Msg(warning) })
}

func readIssuers(file string) ([]access.Issuer, error) {
	if file == "" {
		return nil, nil
	}
	text, err := readSmall(file, maxIssuersFile)
	if err != nil {
		return nil, fmt.Errorf("issuers: %w", err)
	}
	issuers, err := access.ParseIssuers(text)
	if err != nil {
		return nil, fmt.Errorf("issuers: %s: %w", file, err)
	}
	return issuers, nil
}

// adminToken returns the token in a file, which is made with a new one, for its owner alone, if it is not there.
func adminToken(file string) (secret string, isNew bool, err error) {
	text, err := readSmall(file, maxTokenFile)
	if err == nil {
		return strings.TrimSpace(string(text)), false, nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return "", false, err
	}
	secret = access.NewSecret()
	// What is complete takes the name, so that no one reads a part, and of two that make it at once both use the first.
	made, err := os.CreateTemp(filepath.Dir(file), ".admin-token-") // has mode 0600
	if err != nil {
		return "", false, err
	}
	defer os.Remove(made.Name())
	_, err = made.WriteString(secret + "\n")
	if err := errors.Join(err, made.Sync(), made.Close()); err != nil {
		return "", false, err
	}
	if err := os.Link(made.Name(), file); err != nil && !errors.Is(err, os.ErrExist) {
		return "", false, err
	}
	text, err = readSmall(file, maxTokenFile)
	return strings.TrimSpace(string(text)), true, err
}

// readSmall reads a file, which must not be larger than limit.
func readSmall(file string, limit int64) ([]byte, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if info.Size() > limit {
		return nil, fmt.Errorf("%s is larger than %d bytes", file, limit)
	}
	return os.ReadFile(file) // #nosec G304 -- the operator's file
}

// followTokens keeps the API tokens current until ctx ends.
func (p *Publisher) followTokens(ctx context.Context, conn *flagsync.Conn) error {
	return p.keepReading(ctx, "API tokens not read, the known ones stay in force", func(ctx context.Context) error {
		list, err := p.environments.open(ctx, conn)
		if err != nil {
			return err
		}
		return p.gate.tokens.Run(ctx, list.Ledger())
	})
}

// followPeople keeps the persons current until ctx ends.
func (p *Publisher) followPeople(ctx context.Context, conn *flagsync.Conn) error {
	return p.keepReading(ctx, "persons not read, the known ones stay in force", func(ctx context.Context) error {
		list, err := p.environments.open(ctx, conn)
		if err != nil {
			return err
		}
		directory, err := writer.OpenPeople(ctx, conn, p.options.Replicas)
		if err != nil {
			return err
		}
		return p.gate.people.Run(ctx, list.Ledger(), directory)
	})
}

// keepReading calls read again when it fails, until ctx ends. It logs what failed, once.
func (p *Publisher) keepReading(ctx context.Context, failed string, read func(context.Context) error) error {
	logged := ""
	for ctx.Err() == nil {
		if err := read(ctx); err != nil && ctx.Err() == nil && err.Error() != logged {
			logged = err.Error()
			p.logger.Warn().Err(err).Msg(failed)
		}
		select {
		case <-time.After(readRetry):
		case <-ctx.Done():
		}
	}
	return nil
}

// followPolicy reads the policy file again when it changes, and records which policies are in force, until ctx ends. Policies with mistakes
// are not taken.
func (p *Publisher) followPolicy(ctx context.Context) error {
	noted := policyNotes{acts: p.gate.acts, logger: p.logger, prepare: p.verifyControl, cause: policyAtStart}
	return lifecycle.Every(ctx, policyPoll, func(ctx context.Context) {
		p.gate.authorizer.Look()
		noted.note(ctx, p.gate.authorizer.Digest())
	})
}
