package rate

import "testing"

func TestCallsInASummary(t *testing.T) {
	t.Parallel()
	const summary = `% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ------------------
 97.55    2.566411         457      1137           fsync
  2.45    0.066034          58        12         1 fdatasync
------ ----------- ----------- --------- --------- ----------------
100.00    2.632445                  1149         1 total
`
	if got := callsIn(summary); got != 1149 {
		t.Errorf("%d calls, want 1149", got)
	}
	if got := callsIn(""); got != 0 {
		t.Errorf("%d calls in nothing", got)
	}
}
