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
	"os"
	"slices"
	"strings"
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
	keys *reload.File[[][]byte]
}

func openVisitors(path string, logger zerolog.Logger) (*visitors, error) {
	keys, err := reload.Open(reload.Options[[][]byte]{
		Subject: "the file of keys for visitors", Interval: keyInterval, Load: func() ([][]byte, error) { return readKeys(path) },
		Equal:  func(a, b [][]byte) bool { return slices.EqualFunc(a, b, bytes.Equal) },
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
func readKeys(path string) ([][]byte, error) {
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

func parseKeys(content []byte) (keys [][]byte, err error) {
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
		keys = append(keys, line)
	}
	if len(keys) == 0 {
		return nil, errors.New("it has no key: write one a line, the one for new cookies first")
	}
	return keys, nil
}

// id returns the id in the value of a cookie, if one of the keys signed it.
func (v *visitors) id(cookie []byte) (id string, ok bool) {
	if len(cookie) != visitorID+1+base64.RawURLEncoding.EncodedLen(visitorMAC) || cookie[visitorID] != '.' {
		return "", false
	}
	var got [visitorMAC + 2]byte
	n, err := base64.RawURLEncoding.Decode(got[:], cookie[visitorID+1:])
	if err != nil || n != visitorMAC {
		return "", false
	}
	for _, key := range v.keys.Current() {
		if hmac.Equal(got[:n], sign(key, cookie[:visitorID])) {
			return string(cookie[:visitorID]), true
		}
	}
	return "", false
}

// mint returns a new id and the value of its cookie.
func (v *visitors) mint() (id, cookie string) {
	id = rand.Text()
	return id, id + "." + base64.RawURLEncoding.EncodeToString(sign(v.keys.Current()[0], []byte(id)))
}

// sign returns the signature of an id. What is signed begins with its purpose, so that the key can sign nothing else by it.
func sign(key, id []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("flagside gate visitor 1\x00"))
	mac.Write(id)
	return mac.Sum(nil)[:visitorMAC]
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
