package document

import (
	"cmp"
	"strings"
	"testing"
)

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

func TestValidateDocument(t *testing.T) {
	for name, d := range map[string]Document{
		"an epoch":  {Kind: KindEpoch, Key: EpochKey, Body: []byte(`{}`)},
		"no body":   {Kind: KindFlag, Key: "a"},
		"too large": {Kind: KindFlag, Key: "a", Body: make([]byte, MaxSize+1)},
		"no key":    {Kind: KindFlag, Body: []byte(`{}`)},
	} {
		if d.Validate() == nil {
			t.Errorf("%s is valid", name)
		}
	}
	if err := (Document{Kind: KindFlag, Key: "a", Body: make([]byte, MaxSize)}).Validate(); err != nil {
		t.Error(err)
	}
}

func TestCompareID(t *testing.T) {
	ordered := []ID{{}, {Kind: KindFlag}, {Kind: KindFlag, Key: "a"}, {Kind: KindFlag, Key: "b"}, {Kind: KindSegment, Key: "a"}}
	for i, a := range ordered {
		for j, b := range ordered {
			if got, want := a.Compare(b), cmp.Compare(i, j); got != want {
				t.Errorf("%s to %s: got %d, want %d", a, b, got, want)
			}
		}
	}
}
