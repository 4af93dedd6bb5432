package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	secretPrefix = "whsec_"
	minSecret    = 24 // bytes, as Standard Webhooks wants
	maxSecret    = 64
)

// Headers of Standard Webhooks 1.0.
const (
	idHeader        = "Webhook-Id"
	timestampHeader = "Webhook-Timestamp"
	signatureHeader = "Webhook-Signature"
)

// Secret signs events, as Standard Webhooks says. It never shows what it is.
type Secret struct{ key string }

// String shows nothing.
func (Secret) String() string { return "(secret)" }

// GoString shows nothing.
func (Secret) GoString() string { return "(secret)" }

// ParseSecret reads a secret: whsec_ and 24 to 64 bytes in base64. The error says nothing of it.
func ParseSecret(text string) (Secret, error) {
	encoded, ok := strings.CutPrefix(strings.TrimSpace(text), secretPrefix)
	key, err := base64.StdEncoding.DecodeString(encoded)
	if !ok || err != nil || len(key) < minSecret || len(key) > maxSecret {
		return Secret{}, errors.New(`it is no secret of Standard Webhooks: want whsec_ and 24 to 64 random bytes in base64, as echo "whsec_$(openssl rand -base64 32)" makes it`)
	}
	return Secret{string(key)}, nil
}

// sign adds the headers of Standard Webhooks: the signature with each of the secrets, so that a receiver that knows one of them is content.
func sign(header http.Header, id string, at time.Time, body []byte, secrets []Secret) {
	timestamp := strconv.FormatInt(at.Unix(), 10)
	header.Set(idHeader, id)
	header.Set(timestampHeader, timestamp)
	var signatures []string
	for _, s := range secrets {
		mac := hmac.New(sha256.New, []byte(s.key))
		mac.Write([]byte(id + "." + timestamp + "."))
		mac.Write(body)
		signatures = append(signatures, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	if signatures != nil {
		header.Set(signatureHeader, strings.Join(signatures, " "))
	}
}
