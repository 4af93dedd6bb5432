package changelog

import "testing"

// TestCandidatesAreTriedOnce reads noise over many reads: each candidate is tried
// once, and once more at the end, when nothing can prove it any more.
func TestCandidatesAreTriedOnce(t *testing.T) {
	var c candidates[int, int]
	tries, proven := 0, 0
	proved := func(n int) bool {
		tries++
		return n == proven
	}
	for n := 1; n <= 100; n++ {
		c.add(0, n-1, n, n)
		if path, _ := c.settleSoFar(proved); len(path) != 0 {
			t.Fatalf("%v is proved", path)
		}
	}
	if tries != 100 {
		t.Errorf("100 candidates were tried %d times over 100 reads", tries)
	}
	proven = 60 // its key has become known
	if path, _ := c.settle(proved, -1); len(path) != 60 {
		t.Errorf("%d are proved in the end, want 60", len(path))
	}
}
