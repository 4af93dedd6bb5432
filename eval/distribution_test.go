package eval

import (
	"fmt"
	"math"
	"testing"

	"github.com/flagside/flagside/document"
)

// distribute returns the variant of each of n users for buckets such as ["a",25],["b",75].
func distribute(t *testing.T, buckets string, n int) []string {
	t.Helper()
	body := `{"state":"ENABLED","variants":{"a":1,"b":2,"c":3},"targeting":{"fractional":[` + buckets + `]}}`
	r := apply(t, New(), document.Document{Kind: document.KindFlag, Key: "rollout", Revision: 1, Body: []byte(body)})
	f := r.Flag("rollout")
	variants := make([]string, n)
	var c Context
	for i := range variants {
		if err := r.DecodeContext(&c, fmt.Appendf(nil, `{"targetingKey":"user-%d"}`, i)); err != nil {
			t.Fatal(err)
		}
		variants[i] = f.Evaluate(&c, testTime).Variant.Name()
	}
	return variants
}

func TestSharesAreAsLargeAsTheirWeights(t *testing.T) {
	const n = 100_000
	counts := make(map[string]int)
	for _, v := range distribute(t, `["a",10],["b",30],["c",60]`, n) {
		counts[v]++
	}
	for v, share := range map[string]float64{"a": 0.1, "b": 0.3, "c": 0.6} {
		got := float64(counts[v]) / n
		if deviation := 5 * math.Sqrt(share*(1-share)/n); math.Abs(got-share) > deviation {
			t.Errorf("%s: share %.4f, want %.4f within %.4f", v, got, share, deviation)
		}
	}
}

// TestWeightMovesBetweenNeighboursOnly shifts weight from one bucket to the one before it: no one else moves, and no one leaves the
// bucket that grows.
func TestWeightMovesBetweenNeighboursOnly(t *testing.T) {
	const n = 20_000
	before := distribute(t, `["a",10],["b",50],["c",40]`, n)
	for _, weight := range []int{11, 25, 60} {
		after := distribute(t, fmt.Sprintf(`["a",%d],["b",%d],["c",40]`, weight, 60-weight), n)
		moved := 0
		for i := range after {
			if before[i] == after[i] {
				continue
			}
			moved++
			if before[i] != "b" || after[i] != "a" {
				t.Fatalf("user %d moved from %s to %s", i, before[i], after[i])
			}
		}
		if moved == 0 {
			t.Error("no one moved")
		}
		before = after
	}
}

// TestRaisingAWeightMovesUsersOneWay shifts weight from the last bucket to the first: no one may leave the bucket that grows.
func TestRaisingAWeightMovesUsersOneWay(t *testing.T) {
	const n = 20_000
	before := distribute(t, `["a",10],["b",90]`, n)
	for _, weight := range []int{20, 50, 99} {
		after := distribute(t, fmt.Sprintf(`["a",%d],["b",%d]`, weight, 100-weight), n)
		for i := range after {
			if before[i] == "a" && after[i] != "a" {
				t.Fatalf("user %d left the bucket that grew", i)
			}
		}
		before = after
	}
}
