package admin

import (
	"net/http"
	"strings"
	"testing"

	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/control/decide"
	"github.com/flagside/flagside/sync/changelog"
)

func TestPrecondition(t *testing.T) {
	t.Parallel()
	f := func(match, noneMatch string, want decide.Precondition, wantErr string) {
		t.Helper()
		got, err := preconditionOf(api.WriteHeaders{IfMatch: match, IfNoneMatch: noneMatch})
		if got != want || (err == nil) != (wantErr == "") || (err != nil && !strings.Contains(err.Error(), wantErr)) {
			t.Errorf("If-Match %q, If-None-Match %q: got %+v, %v; want %+v, %s", match, noneMatch, got, err, want, wantErr)
		}
	}
	at7 := decide.Precondition{Match: changelog.Token{Epoch: "0a1b2c3d", Revision: 7}}
	f("", "", decide.Precondition{}, "")
	f("", "*", decide.Precondition{Absent: true}, "")
	f(`"0a1b2c3d-7"`, "", at7, "")
	f(`0a1b2c3d-7`, "", at7, "")
	f(`W/"0a1b2c3d-7"`, "", decide.Precondition{}, "must be the ETag")
	f(`"0a1b2c3d-7", "0a1b2c3d-8"`, "", decide.Precondition{}, "must be the ETag")
	f(`*`, "", decide.Precondition{}, "must be the ETag")
	f(`""`, "", decide.Precondition{}, "must be the ETag")
	f("", `"0a1b2c3d-7"`, decide.Precondition{}, "can only be *")
	f(`"0a1b2c3d-7"`, "*", decide.Precondition{}, "exclude")
}

// Whatever a caller sends is either refused or means what the ETag of that document meant.
func FuzzPrecondition(f *testing.F) {
	for _, seed := range []string{"", "*", `"0a1b2c3d-7"`, `0a1b2c3d-18446744073709551615`, `W/"x"`, "\x00", `"""`} {
		f.Add(seed, "")
		f.Add("", seed)
	}
	f.Fuzz(func(t *testing.T, match, noneMatch string) {
		p, err := preconditionOf(api.WriteHeaders{IfMatch: match, IfNoneMatch: noneMatch})
		if err != nil {
			if problem, ok := err.(*problem); !ok || problem.Status != http.StatusBadRequest { //nolint:errorlint // it is never wrapped
				t.Fatalf("refused with %v", err)
			}
			return
		}
		if p.Match != (changelog.Token{}) && strings.Trim(match, `"`) != p.Match.String() {
			t.Fatalf("If-Match %q means %v", match, p.Match)
		}
		if p.Absent != (noneMatch == "*") {
			t.Fatalf("If-None-Match %q means %v", noneMatch, p.Absent)
		}
	})
}
