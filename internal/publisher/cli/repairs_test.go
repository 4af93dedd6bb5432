package cli_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A repair asks the API for what the options name, and says what is kept and what is lost.
func TestLedgerRepair(t *testing.T) {
	t.Parallel()
	answers := map[string]string{
		"/api/v1/environments/prod/ledger/repair": `{"stream":"LEDGER_prod","head":9,"kept":[2,6],"lost":[{"first":3,"last":4},{"first":7,"last":7}],"lacks":7}`,
		"/api/v1/control/repair":                  `{"stream":"CONTROL","head":1,"kept":[],"lost":[]}`,
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.Header.Get("Flagside-Reason") != "a broken disk" {
			t.Errorf("%s %s with the reason %q", r.Method, r.URL.Path, r.Header.Get("Flagside-Reason"))
		}
		_, _ = io.WriteString(w, answers[r.URL.Path])
	}))
	t.Cleanup(server.Close)
	for name, c := range map[string]struct {
		args []string
		code int
		want string
	}{
		"a ledger": {
			[]string{"-e", "prod", "-m", "a broken disk"},
			0,
			"LEDGER_prod is repaired: new records follow record 9, which lists what was lost\nkept up to                2, 6\nlost                      3 to 4, 7\nnamed elsewhere and lost  7\n",
		},
		"CONTROL":      {[]string{"--control", "-m", "a broken disk"}, 0, "CONTROL is repaired: new records follow record 1, which lists what was lost\nkept up to  nothing\n"},
		"no reason":    {[]string{"--control"}, 2, "error: say why with --reason\n"},
		"nothing":      {[]string{"-m", "x"}, 2, "error: say what to repair: --environment ENV or --control\n"},
		"no such name": {[]string{"-e", "Prod", "-m", "x"}, 2, "error: invalid environment name: \"Prod\": use a to z, 0 to 9 and '-' only\n"},
	} {
		code, output := run(t.Context(), server.URL, "admin", "", append([]string{"ledger", "repair"}, c.args...)...)
		if diff := cmp.Diff(c.want, output); diff != "" || code != c.code {
			t.Errorf("%s: exit code %d, want %d (-want +got):\n%s", name, code, c.code, diff)
		}
	}
}
