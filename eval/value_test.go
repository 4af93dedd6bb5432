package eval

import (
	"math"
	"math/rand/v2"
	"strconv"
	"testing"
)

// TestNumbersInTextAreThoseOfStrconv compares with strconv alone, on texts of the characters that numbers are made of.
func TestNumbersInTextAreThoseOfStrconv(t *testing.T) {
	texts := []string{
		"", "+", "-", ".", "1", "-1.5", "1.", ".5", "1e5", "1E+5", "1e", "1e+", "e5", "1.2.3", "1_000", "0x1p4", "0X1P-2", "0x_1p4", "0x", "inf", "-Inf",
		"Infinity", "nan", "+NaN", "1e400", "-1e400", "1e-400", "９", " 1", "1 ", "00", "-0", "0b1", "1f", "12abc", "--1", "+-1",
	}
	random := rand.New(rand.NewPCG(1, 1))
	for range 200_000 {
		text := make([]byte, random.IntN(7))
		for i := range text {
			text[i] = "0123459..+-eExXpPinfatyINF_ "[random.IntN(28)]
		}
		texts = append(texts, string(text))
	}
	numbers := 0
	for _, s := range texts {
		want, err := strconv.ParseFloat(s, 64)
		valid := err == nil || math.IsInf(want, 0)
		got, ok := parseText(s)
		if ok != valid || math.Float64bits(got) != math.Float64bits(want) {
			t.Fatalf("%q: got %v %v, want %v %v", s, got, ok, want, valid)
		}
		if ok {
			numbers++
		}
	}
	if numbers < 1000 {
		t.Errorf("only %d numbers", numbers)
	}
}
