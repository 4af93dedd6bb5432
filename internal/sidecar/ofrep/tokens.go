package ofrep

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"github.com/valyala/fasthttp"
)

const (
	tokensInterval = 2 * time.Second // between two looks at the file
	maxTokensFile  = 64 << 10        // bytes
	bearerPrefix   = "Bearer "
	apiKeyHeader   = "X-API-Key" // #nosec G101 -- the name of a header field
	challenge      = `Bearer realm="flagside"`
)

// tokens are those of a file, one of which every request needs. They are kept as hashes. The methods may be called concurrently, except
// for reread and watch.
type tokens struct {
	path    string
	logger  zerolog.Logger
	known   atomic.Pointer[[][sha256.Size]byte]
	failure string // of the last look at the file; empty means none
}

// openTokens reads the file. It is an error if it cannot be used.
func openTokens(path string, logger zerolog.Logger) (*tokens, error) {
	known, err := readTokens(path)
	if err != nil {
		return nil, err
	}
	t := &tokens{path: path, logger: logger}
	t.known.Store(&known)
	return t, nil
}

// readTokens returns the hashes of the tokens in a file: one a line, without empty lines and those that begin with #. Errors name lines and
// never quote them.
func readTokens(path string) ([][sha256.Size]byte, error) {
	file, err := os.Open(path) // #nosec G304 -- the path is the operator's
	if err != nil {
		return nil, err
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxTokensFile+1))
	if err != nil {
		return nil, err
	}
	if len(content) > maxTokensFile {
		return nil, fmt.Errorf("%s has more than %d bytes", path, maxTokensFile)
	}
	known, err := parseTokens(content)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return known, nil
}

func parseTokens(content []byte) (known [][sha256.Size]byte, err error) {
	number := 0
	for line := range bytes.Lines(content) {
		number++
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		if bytes.ContainsFunc(line, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return nil, fmt.Errorf("line %d is no token: want visible ASCII characters without spaces", number)
		}
		known = append(known, sha256.Sum256(line))
	}
	if len(known) == 0 {
		return nil, errors.New("it has no token")
	}
	return known, nil
}

// watch looks at the file again and again until ctx ends.
func (t *tokens) watch(ctx context.Context) {
	ticker := time.NewTicker(tokensInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			t.reread()
		}
	}
}

// reread takes over the tokens of the file. The last good ones stay while it cannot be used, which is logged once.
func (t *tokens) reread() {
	next, err := readTokens(t.path)
	if err != nil {
		if err.Error() != t.failure {
			t.failure = err.Error()
			t.logger.Error().Err(err).Msg("the file of OFREP tokens cannot be used, the last good tokens stay in use")
		}
		return
	}
	if t.failure != "" || !slices.Equal(next, *t.known.Load()) {
		t.logger.Info().Int("tokens", len(next)).Msg("the file of OFREP tokens was read again")
	}
	t.failure = ""
	t.known.Store(&next)
}

// admit reports whether a request has one of the tokens: as a bearer token (RFC 6750, section 2.1) or as an API key.
func (t *tokens) admit(header *fasthttp.RequestHeader) bool {
	return t.has(bearer(header.Peek(fasthttp.HeaderAuthorization))) || t.has(header.Peek(apiKeyHeader))
}

// bearer returns the token of a header field, nil if it has another scheme.
func bearer(field []byte) []byte {
	if len(field) <= len(bearerPrefix) || !bytes.EqualFold(field[:len(bearerPrefix)], []byte(bearerPrefix)) {
		return nil
	}
	return bytes.TrimSpace(field[len(bearerPrefix):])
}

// has reports whether a token is known. How long it takes depends on the length of the token and on how many are known, not on what they
// are.
func (t *tokens) has(token []byte) bool {
	if len(token) == 0 {
		return false
	}
	hash := sha256.Sum256(token)
	equal := 0
	for _, known := range *t.known.Load() {
		equal |= subtle.ConstantTimeCompare(hash[:], known[:])
	}
	return equal == 1
}

// refuseStranger answers a request without a valid token.
func refuseStranger(ctx *fasthttp.RequestCtx) {
	ctx.Response.Header.Set(fasthttp.HeaderWWWAuthenticate, challenge)
	refuse(ctx, fasthttp.StatusUnauthorized)
}
