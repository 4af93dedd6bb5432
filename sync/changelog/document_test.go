package changelog

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/flagside/flagside/document"
)

func TestSubject(t *testing.T) {
	f := func(id document.ID, want string) {
		t.Helper()
		if got := Subject(id); got != want {
			t.Errorf("subject of %s = %q, want %q", id, got, want)
		}
	}
	f(document.ID{Kind: document.KindFlag, Key: "a"}, "ZmxhZy9h")
	f(document.ID{Kind: document.KindFlag, Key: "a/b.c >*"}, "ZmxhZy9hL2IuYyA-Kg")
	f(document.ID{Kind: document.KindSegment, Key: "é"}, "c2VnbWVudC_DqQ")
	f(document.ID{Kind: document.KindSettings, Key: document.SettingsKey}, "c2V0dGluZ3MvZW52aXJvbm1lbnQ")
	f(document.ID{Kind: document.KindKeys, Key: document.KeysKey}, "a2V5cy9rZXlz")
	f(document.ID{Kind: document.KindEpoch, Key: document.EpochKey}, "ZXBvY2gvZXBvY2g")
}

// Every valid ID has a subject token of its own, which a NATS subject can hold.
func FuzzSubject(f *testing.F) {
	f.Add("flag", "a")
	f.Add("segment", "a/b.c >*")
	f.Add("settings", document.SettingsKey)
	f.Fuzz(func(t *testing.T, kind, key string) {
		id := document.ID{Kind: document.Kind(kind), Key: key}
		if id.Validate() != nil {
			return
		}
		subject := Subject(id)
		if strings.ContainsAny(subject, ".*> \t\r\n") || subject == "" {
			t.Errorf("%s has the subject %q", id, subject)
		}
		if got, err := base64.RawURLEncoding.DecodeString(subject); err != nil || string(got) != id.String() {
			t.Errorf("%s has the subject %q, which is %q, %v", id, subject, got, err)
		}
	})
}
