package changelog

import (
	"errors"
	"math"
	"testing"
	"time"
)

func TestEpoch(t *testing.T) {
	now := time.UnixMilli(0x0123456789ab)
	a, b := NewEpoch(now, ""), NewEpoch(now, "")
	if a == b || a[:shortEpoch] == b[:shortEpoch] {
		t.Errorf("two epochs are %s and %s", a, b)
	}
	if err := a.Validate(); err != nil {
		t.Errorf("a new epoch: %v", err)
	}
	if a[8:20] != "0123456789ab" {
		t.Errorf("epoch %s does not hold the time", a)
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

// A new epoch is later than the one before it, however the clock is set.
func TestNewEpochIsLater(t *testing.T) {
	for _, now := range []time.Time{time.UnixMilli(1_800_000_000_000), time.UnixMilli(1), {}, time.UnixMilli(-5)} {
		after := NewEpoch(time.UnixMilli(1_800_000_000_000), "")
		for range 1000 {
			e := NewEpoch(now, after)
			if err := e.Validate(); err != nil || !e.Later(after) || after.Later(e) || e == after {
				t.Fatalf("at %v, %s after %s: %v", now, e, after, err)
			}
			after = e
		}
	}
	before := NewEpoch(time.UnixMilli(1000), "")
	if e := NewEpoch(time.UnixMilli(2000), before); e.milliseconds() != 2000 {
		t.Errorf("a clock that goes forward gives %s", e)
	}
}

// Later goes by the time only, not by the random digits: two of the same time are
// not later than each other.
func TestEpochLater(t *testing.T) {
	f := func(a, b Epoch, want bool) {
		t.Helper()
		if got := a.Later(b); got != want {
			t.Errorf("%q later than %q: %v, want %v", a, b, got, want)
		}
	}
	const earlier, later = Epoch("ffffffff000000000001ffffffffffff"), Epoch("00000000000000000002000000000000")
	f(later, earlier, true)
	f(earlier, later, false)
	f(earlier, earlier, false)
	f("ffffffff000000000002ffffffffffff", later, false)
	f(later, "ffffffff000000000002ffffffffffff", false)
	f(earlier, "", true)
	f("", earlier, false)
	f("", "", false)
	f(epochB, epochA, true)
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
