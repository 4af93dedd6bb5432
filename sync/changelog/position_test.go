package changelog

import (
	"errors"
	"math"
	"testing"
)

func TestEpoch(t *testing.T) {
	a, b := NewEpoch(), NewEpoch()
	if a == b {
		t.Errorf("two epochs are both %s", a)
	}
	if err := a.Validate(); err != nil {
		t.Errorf("a new epoch: %v", err)
	}
	if got := epochA.Short(); got != "00112233" {
		t.Errorf("Short() = %q", got)
	}
	if got := Epoch("").Short(); got != "" {
		t.Errorf("Short() of no epoch = %q", got)
	}
	for _, e := range []Epoch{"", epochA[1:], epochA + "0", "00112233445566778899AABBCCDDEEFF", "0011223344556677 899aabbccddeeff"} {
		if e.Validate() == nil {
			t.Errorf("epoch %q is valid", e)
		}
	}
}

func TestParseToken(t *testing.T) {
	f := func(in string, want Token) {
		t.Helper()
		got, err := ParseToken(in)
		if err != nil || got != want {
			t.Errorf("ParseToken(%q) = %v, %v, want %v", in, got, err, want)
		}
		if got.String() != in {
			t.Errorf("String() = %q, want %q", got.String(), in)
		}
	}
	f("00112233-0", Token{Epoch: "00112233"})
	f("00112233-1", Token{Epoch: "00112233", Revision: 1})
	f("deadbeef-18446744073709551615", Token{Epoch: "deadbeef", Revision: math.MaxUint64})

	for _, in := range []string{
		"", "-", "1", "00112233", "00112233-", "-1", "0011223-1", "001122334-1", "0011223G-1", "DEADBEEF-1",
		"00112233-01", "00112233-+1", "00112233--1", "00112233- 1", "00112233-1 ", " 00112233-1", "00112233-1-1",
		"00112233-1.0", "00112233-0x1", "00112233-1_0", "00112233-18446744073709551616", "00112233–1", `"00112233-1"`,
	} {
		if got, err := ParseToken(in); !errors.Is(err, ErrToken) {
			t.Errorf("ParseToken(%q) = %v, %v, want ErrToken", in, got, err)
		}
	}
}

func TestTokenIn(t *testing.T) {
	token := Position{Epoch: epochA, Revision: 7}.Token()
	if token.String() != "00112233-7" {
		t.Errorf("token %s", token)
	}
	if !token.In(epochA) || token.In(epochB) || token.In("") {
		t.Errorf("%s: in its epoch %v, another %v, none %v", token, token.In(epochA), token.In(epochB), token.In(""))
	}
	if (Token{}).In("") {
		t.Error("the zero token is in no epoch")
	}
}

func TestPositionIsZero(t *testing.T) {
	if !(Position{}).IsZero() || (Position{Revision: 1}).IsZero() {
		t.Error("only the position before revision 1 is zero")
	}
}

// Text either is a token in its only spelling, or is refused.
func FuzzParseToken(f *testing.F) {
	for _, in := range []string{"00112233-0", "deadbeef-18446744073709551615", "00112233-01", "", "-", "00112233-+1"} {
		f.Add(in)
	}
	f.Fuzz(func(t *testing.T, in string) {
		token, err := ParseToken(in)
		if err == nil && token.String() != in {
			t.Errorf("%q was read as %q", in, token)
		}
		if err != nil && (!errors.Is(err, ErrToken) || token != Token{}) {
			t.Errorf("%q: %v, %v", in, token, err)
		}
	})
}
