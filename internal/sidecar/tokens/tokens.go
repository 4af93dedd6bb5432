// Package tokens knows from a file who may ask a sidecar. The protocols say how a request carries its token.
package tokens

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
	"time"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/reload"
)

// What requests and refusals have in their headers, in every protocol.
const (
	// APIKeyHeader may have the token in the place of Authorization.
	APIKeyHeader = "X-API-Key" // #nosec G101 -- the name of a header field
	// Challenge is the WWW-Authenticate of a refusal (RFC 6750, section 3).
	Challenge = `Bearer realm="flagside"`
)

const (
	interval     = 2 * time.Second // between two looks at the file
	maxFile      = 64 << 10        // bytes
	bearerPrefix = "Bearer "
)

// File is a file of tokens, one of which every request needs. They are kept as hashes. Create it with Open. Admit may be called at any
// time.
type File struct {
	known *reload.File[[][sha256.Size]byte]
}

// Open reads the file: one token a line, without empty lines and those that begin with #. It is an error if it cannot be used. The logger
// gets no token.
func Open(path string, logger zerolog.Logger) (*File, error) {
	known, err := reload.Open(reload.Options[[][sha256.Size]byte]{
		Subject:  "the file of tokens",
		Interval: interval,
		Load:     func() ([][sha256.Size]byte, error) { return readTokens(path) },
		Equal:    slices.Equal[[][sha256.Size]byte],
		Logger:   logger.With().Str("file", path).Logger(),
	})
	if err != nil {
		return nil, err
	}
	return &File{known}, nil
}

// readTokens returns the hashes of the tokens in a file: one a line, without empty lines and those that begin with #. Errors name lines and
// never quote them.
func readTokens(path string) ([][sha256.Size]byte, error) {
	file, err := os.Open(path) // #nosec G304 -- the path is the operator's
	if err != nil {
		return nil, err
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(content) > maxFile {
		return nil, fmt.Errorf("%s has more than %d bytes", path, maxFile)
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
			return nil, fmt.Errorf("line %d is not a token: want visible ASCII characters without spaces", number)
		}
		known = append(known, sha256.Sum256(line))
	}
	if len(known) == 0 {
		return nil, errors.New("it has no token: write one a line")
	}
	return known, nil
}

// Run looks at the file every 2 s until ctx ends, and takes over its tokens when it changes. The last good ones stay while it cannot be used.
func (f *File) Run(ctx context.Context) error { return f.known.Run(ctx) }

// Admit reports whether a request has one of the tokens: as a bearer token (RFC 6750, section 2.1) or as an API key. It does not allocate.
func (f *File) Admit(authorization, apiKey []byte) bool {
	return f.has(bearer(authorization)) || f.has(apiKey)
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
func (f *File) has(token []byte) bool {
	if len(token) == 0 {
		return false
	}
	hash := sha256.Sum256(token)
	equal := 0
	for _, known := range f.known.Current() {
		equal |= subtle.ConstantTimeCompare(hash[:], known[:])
	}
	return equal == 1
}
