package webhook

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

func secret(t *testing.T, key string) Secret {
	t.Helper()
	s, err := ParseSecret(secretPrefix + base64.StdEncoding.EncodeToString([]byte(key)))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The example of the specification of Standard Webhooks.
func TestSignatureOfTheSpecification(t *testing.T) {
	t.Parallel()
	s, err := ParseSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n")
	if err != nil {
		t.Fatal(err)
	}
	header := make(http.Header)
	sign(header, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`), []Secret{s})
	if got, want := header.Get("webhook-signature"), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// The library of Standard Webhooks takes what we sign, with each of the secrets, and nothing that was changed.
func TestTheReferenceLibraryVerifies(t *testing.T) {
	t.Parallel()
	old, current := strings.Repeat("old-", 8), strings.Repeat("new-", 8)
	body := []byte(`{"a":1}`)
	signed := func() http.Header {
		header := make(http.Header)
		sign(header, "LEDGER_prod-17", time.Now(), body, []Secret{secret(t, current), secret(t, old)})
		return header
	}
	for _, key := range []string{old, current} {
		library, err := standard.NewWebhookRaw([]byte(key))
		if err != nil {
			t.Fatal(err)
		}
		if err := library.Verify(body, signed()); err != nil {
			t.Errorf("with %s: %v", key, err)
		}
		changes := map[string]func(http.Header){
			"id":        func(h http.Header) { h.Set(idHeader, "LEDGER_prod-18") },
			"timestamp": func(h http.Header) { h.Set(timestampHeader, "1") },
			"signature": func(h http.Header) { h.Del(signatureHeader) },
		}
		for what, change := range changes {
			header := signed()
			if change(header); library.Verify(body, header) == nil {
				t.Errorf("another %s is taken", what)
			}
		}
		if library.Verify([]byte(`{"a":2}`), signed()) == nil {
			t.Error("another body is taken")
		}
	}
	if other, _ := standard.NewWebhookRaw([]byte(strings.Repeat("x", 24))); other.Verify(body, signed()) == nil {
		t.Error("another secret is taken")
	}
}

func TestParseSecret(t *testing.T) {
	t.Parallel()
	for length, want := range map[int]bool{0: false, 23: false, 24: true, 64: true, 65: false} {
		text := secretPrefix + base64.StdEncoding.EncodeToString(make([]byte, length))
		if _, err := ParseSecret(text); (err == nil) != want {
			t.Errorf("%d bytes: %v", length, err)
		}
	}
	for _, text := range []string{"", "whsec_", "whsec_?", strings.Repeat("QUJD", 8)} {
		if _, err := ParseSecret(text); err == nil || text != "" && text != secretPrefix && strings.Contains(err.Error(), text) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
