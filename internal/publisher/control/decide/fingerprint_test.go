package decide

import (
	"testing"
	"time"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher/control/requests"
	"github.com/flagside/flagside/sync/changelog"
)

// Fingerprints stand in logs and ledgers: a publisher knows what an idempotency key was used for by them, also after an upgrade.
func TestFingerprintsStay(t *testing.T) {
	t.Parallel()
	id := document.ID{Kind: document.KindFlag, Key: "a"}
	now := Precondition{Match: changelog.Token{Epoch: "00112233", Revision: 2}}
	put := Put{ID: id, Body: []byte(`{}`), If: now}
	f := func(c Command, want string) {
		t.Helper()
		if got := CommandFingerprint(c); got != want {
			t.Errorf("%T has the fingerprint %s, want %s", c, got, want)
		}
	}
	f(put, "fqjtzskwtie3xyd56ckqiuxp")
	f(Delete{ID: id, If: now}, "ikd4d7g2uhxpkazzkbwi2ned")
	f(Patch{ID: id, Merge: []byte(`{}`), If: now}, "r5ywplfl5gfps32bhsvlrojr")
	f(Toggle{Flag: "a", On: true, If: now}, "vbqb7ybj23mmnh6aao7o5bmf")
	f(Archive{ID: id, Force: true, If: now}, "scwrkfvrxvdws3lfqgxpsdi3")
	f(Replace{Documents: []document.Document{{Kind: id.Kind, Key: "a", Body: []byte(`{}`)}}}, "lnhmazhn7g3wg2smu3v7bfyo")
	f(Transfer{Changes: []document.Document{{Kind: id.Kind, Key: "a"}}, Bases: []requests.Base{{Kind: id.Kind, Key: "a", Revision: 2}}}, "xfbfl4rrbfzdzm3v7v24g5i7")
	f(Restore{Transfer: Transfer{Source: "snapshot"}}, "c2qo5mdzdnwjeri72kcn3h2z")
	spec := ProposalSpec{Command: put, ApplyAt: time.Unix(1e9, 0), MaxDelay: time.Hour, Expires: time.Unix(2e9, 0), BreakGlass: true}
	if got, want := spec.Fingerprint(), "wdbvu35hrzcj43xha56f7oyt"; got != want {
		t.Errorf("the proposal has the fingerprint %s, want %s", got, want)
	}
}
