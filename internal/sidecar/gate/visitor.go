package gate

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/reload"
)

const (
	keyInterval = 2 * time.Second // between two looks at the file
	maxKeyFile  = 4 << 10         // bytes
	minKey      = 32              // bytes of a line
	visitorMAC  = 16              // bytes of the signature that are kept
	// visitorID is how many characters the id of a visitor has.
	visitorID = 26
)

// visitors gives ids to visitors that have no targeting key, in cookies that it signs, so that a percentage is the same for each of them at every
// request. A cookie says nothing about a visitor: its id is random.
type visitors struct {
	keys *reload.File[[]*signer]
}

func openVisitors(path string, logger zerolog.Logger) (*visitors, error) {
	keys, err := reload.Open(reload.Options[[]*signer]{
		Subject: "the file of keys for visitors", Interval: keyInterval, Load: func() ([]*signer, error) { return readKeys(path) },
		Equal: func(a, b []*signer) bool {
			return slices.EqualFunc(a, b, func(a, b *signer) bool { return bytes.Equal(a.key, b.key) })
		},
		Logger: logger.With().Str("file", path).Logger(),
	})
	if err != nil {
		return nil, fmt.Errorf("--gate-visitor-key-file: %w", err)
	}
	return &visitors{keys}, nil
}

// run reads the keys again when they change, until ctx ends.
func (v *visitors) run(ctx context.Context) error { return v.keys.Run(ctx) }

// readKeys returns the keys in a file, one a line. Errors name lines and never quote them.
func readKeys(path string) ([]*signer, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxKeyFile {
		return nil, fmt.Errorf("%s has more than %d bytes", path, maxKeyFile)
	}
	content, err := os.ReadFile(path) // #nosec G304 -- the path is the operator's
	if err != nil {
		return nil, err
	}
	keys, err := parseKeys(content)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return keys, nil
}

func parseKeys(content []byte) (keys []*signer, err error) {
	number := 0
	for line := range bytes.Lines(content) {
		number++
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		if len(line) < minKey {
			return nil, fmt.Errorf("line %d has %d bytes: a key needs %d or more, such as openssl rand -base64 32 makes", number, len(line), minKey)
		}
		keys = append(keys, newSigner(line))
	}
	if len(keys) == 0 {
		return nil, errors.New("it has no key: write one a line, the one for new cookies first")
	}
	return keys, nil
}

// id returns the id in the value of a cookie, if one of the keys signed it. It is a part of the value.
func (v *visitors) id(cookie []byte) (id []byte, ok bool) {
	if len(cookie) != visitorID+1+base64.RawURLEncoding.EncodedLen(visitorMAC) || cookie[visitorID] != '.' {
		return nil, false
	}
	var got [visitorMAC + 2]byte
	n, err := base64.RawURLEncoding.Decode(got[:], cookie[visitorID+1:])
	if err != nil || n != visitorMAC {
		return nil, false
	}
	for _, key := range v.keys.Current() {
		if key.signed(cookie[:visitorID], got[:n]) {
			return cookie[:visitorID], true
		}
	}
	return nil, false
}

// mint returns a new id and the value of its cookie.
func (v *visitors) mint() (id []byte, cookie string) {
	id = []byte(rand.Text())
	return id, string(id) + "." + base64.RawURLEncoding.EncodeToString(v.keys.Current()[0].sign(id))
}

// signer signs ids with one key.
type signer struct {
	key    []byte
	hashes sync.Pool // of *signing
}

// signing is the working memory of a signature.
type signing struct {
	hash hash.Hash
	sum  []byte
}

func newSigner(key []byte) *signer {
	return &signer{key: key, hashes: sync.Pool{New: func() any { return &signing{hash: hmac.New(sha256.New, key)} }}}
}

// purpose begins what is signed, so that the key can sign nothing else by it.
const purpose = "flagside gate visitor 1\x00"

// of returns the signature of an id, which is valid until the next.
func (s *signing) of(id []byte) []byte {
	s.hash.Reset()
	s.sum = append(append(s.sum[:0], purpose...), id...)
	s.hash.Write(s.sum)
	s.sum = s.hash.Sum(s.sum[:0])
	return s.sum[:visitorMAC]
}

// sign returns the signature of an id.
func (k *signer) sign(id []byte) []byte {
	s := k.hashes.Get().(*signing)
	defer k.hashes.Put(s)
	return bytes.Clone(s.of(id))
}

// signed reports whether a signature is that of an id.
func (k *signer) signed(id, signature []byte) bool {
	s := k.hashes.Get().(*signing)
	defer k.hashes.Put(s)
	return hmac.Equal(signature, s.of(id))
}

// setCookie returns the field that makes a browser keep a cookie.
func setCookie(o Options, value string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s=%s; Path=/; Max-Age=%d; HttpOnly; SameSite=Lax", o.Cookie, value, int64(o.Lifetime/time.Second))
	if !o.InsecureCookie {
		b.WriteString("; Secure")
	}
	return b.String()
}
