package changelog

import (
	"encoding/base64"
	"strings"
	"testing"
)

func TestSubject(t *testing.T) {
	f := func(id ID, want string) {
		t.Helper()
		if got := id.Subject(); got != want {
			t.Errorf("subject of %s = %q, want %q", id, got, want)
		}
	}
	f(ID{Kind: KindFlag, Key: "a"}, "ZmxhZy9h")
	f(ID{Kind: KindFlag, Key: "a/b.c >*"}, "ZmxhZy9hL2IuYyA-Kg")
	f(ID{Kind: KindSegment, Key: "é"}, "c2VnbWVudC_DqQ")
	f(ID{Kind: KindSettings, Key: SettingsKey}, "c2V0dGluZ3MvZW52aXJvbm1lbnQ")
	f(ID{Kind: KindKeys, Key: KeysKey}, "a2V5cy9rZXlz")
	f(ID{Kind: KindEpoch, Key: EpochKey}, "ZXBvY2gvZXBvY2g")
}

func TestValidateID(t *testing.T) {
	for _, id := range []ID{
		{Kind: KindFlag, Key: "a"},
		{Kind: KindFlag, Key: strings.Repeat("k", MaxKey)},
		{Kind: KindSegment, Key: "\u0000 \n"},
		{Kind: KindSettings, Key: SettingsKey},
		{Kind: KindKeys, Key: KeysKey},
		{Kind: KindEpoch, Key: EpochKey},
	} {
		if err := id.Validate(); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
	for _, id := range []ID{
		{},
		{Kind: KindFlag},
		{Key: "a"},
		{Kind: "Flag", Key: "a"},
		{Kind: KindFlag, Key: strings.Repeat("k", MaxKey+1)},
		{Kind: KindFlag, Key: "\xc3"},
		{Kind: KindSettings, Key: "a"},
		{Kind: KindKeys, Key: "a"},
		{Kind: KindEpoch, Key: "a"},
	} {
		if id.Validate() == nil {
			t.Errorf("%s is valid", id)
		}
	}
}

// Every valid ID has a subject token of its own, which a NATS subject can hold.
func FuzzSubject(f *testing.F) {
	f.Add("flag", "a")
	f.Add("segment", "a/b.c >*")
	f.Add("settings", SettingsKey)
	f.Fuzz(func(t *testing.T, kind, key string) {
		id := ID{Kind: Kind(kind), Key: key}
		if id.Validate() != nil {
			return
		}
		subject := id.Subject()
		if strings.ContainsAny(subject, ".*> \t\r\n") || subject == "" {
			t.Errorf("%s has the subject %q", id, subject)
		}
		if got, err := base64.RawURLEncoding.DecodeString(subject); err != nil || string(got) != id.String() {
			t.Errorf("%s has the subject %q, which is %q, %v", id, subject, got, err)
		}
	})
}
