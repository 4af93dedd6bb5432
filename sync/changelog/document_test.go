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
		if got, err := ParseSubject(want); err != nil || got != id {
			t.Errorf("ParseSubject(%q) = %v, %v, want %v", want, got, err, id)
		}
	}
	f(ID{Kind: KindFlag, Key: "a"}, "ZmxhZy9h")
	f(ID{Kind: KindFlag, Key: "a/b.c >*"}, "ZmxhZy9hL2IuYyA-Kg")
	f(ID{Kind: KindSegment, Key: "é"}, "c2VnbWVudC_DqQ")
	f(ID{Kind: KindSettings, Key: SettingsKey}, "c2V0dGluZ3MvZW52aXJvbm1lbnQ")
	f(ID{Kind: KindKeys, Key: KeysKey}, "a2V5cy9rZXlz")
	f(ID{Kind: KindEpoch, Key: EpochKey}, "ZXBvY2gvZXBvY2g")
}

func TestParseSubjectRefuses(t *testing.T) {
	encode := base64.RawURLEncoding.EncodeToString
	for name, token := range map[string]string{
		"nothing":                   "",
		"no base64":                 "ZmxhZy9h.",
		"padding":                   "ZmxhZy9hYg==",
		"standard alphabet":         "ZmxhZy9hL2IuYyA+Kg",
		"line break":                "ZmxhZy\n9h",
		"unused bits set":           "ZmxhZy9hL2IuYyA-Kh",
		"no kind":                   encode([]byte("flag")),
		"no key":                    encode([]byte("flag/")),
		"unknown kind":              encode([]byte("rule/a")),
		"settings of another name":  encode([]byte("settings/a")),
		"keys of another name":      encode([]byte("keys/a")),
		"key that is no UTF-8":      encode([]byte("flag/\xff")),
		"key longer than the limit": encode([]byte("flag/" + strings.Repeat("k", MaxKey+1))),
	} {
		if id, err := ParseSubject(token); err == nil || id != (ID{}) {
			t.Errorf("%s: ParseSubject(%q) = %v, %v", name, token, id, err)
		}
	}
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

// Every valid ID has one subject token, which a NATS subject can hold.
func FuzzSubject(f *testing.F) {
	f.Add("flag", "a", "ZmxhZy9h")
	f.Add("segment", "a/b.c >*", "ZmxhZy9hL2IuYyA-Kh")
	f.Add("settings", SettingsKey, "=")
	f.Fuzz(func(t *testing.T, kind, key, token string) {
		id := ID{Kind: Kind(kind), Key: key}
		if id.Validate() == nil {
			subject := id.Subject()
			if strings.ContainsAny(subject, ".*> \t\r\n") || subject == "" {
				t.Errorf("%s has the subject %q", id, subject)
			}
			if got, err := ParseSubject(subject); err != nil || got != id {
				t.Errorf("%s has the subject %q, which is %v, %v", id, subject, got, err)
			}
		}
		if id, err := ParseSubject(token); err == nil && id.Subject() != token {
			t.Errorf("%q is the subject of %s, as is %q", token, id, id.Subject())
		}
	})
}
