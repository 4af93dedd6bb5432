package cli_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The records of CONTROL are listed in lines, and reviewed by their number.
func TestAuditControl(t *testing.T) {
	t.Parallel()
	const records = `{"items":[
		{"sequence":9,"time":"2030-01-01T00:00:00Z","type":"environment.archived","actor":"ada","names":{"ada":"Ada"},"reason":"it leaks","breakGlass":true,"reviewOpen":true,"environment":"prod"},
		{"sequence":8,"time":"2030-01-01T00:00:00Z","type":"policy.changed","digest":"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff","publisher":"host","cause":"reload"},
		{"sequence":7,"time":"2030-01-01T00:00:00Z","type":"control.reviewed","actor":"root","reviews":4},
		{"sequence":6,"type":"keys","keysVersion":2}]}`
	answers := map[string]string{
		"GET /api/v1/control/records?limit=100":                           records,
		"GET /api/v1/control/records?before=9&limit=100&needsReview=true": `{"items":[]}`,
		"POST /api/v1/control/records/9/review":                           `{"sequence":9,"type":"environment.archived"}`,
		"GET /api/v1/environments/prod/ledger?limit=100":                  `{"items":[{"sequence":4,"time":"2030-01-01T00:00:00Z","type":"environment.archived","actor":"ada","breakGlass":true,"control":9,"reviewOpen":true,"text":"it leaks"}]}`,
	}
	server := newServer(func(w http.ResponseWriter, r *http.Request) {
		answer, known := answers[r.Method+" "+r.URL.String()]
		if !known {
			t.Errorf("%s %s", r.Method, r.URL)
		}
		_, _ = io.WriteString(w, answer)
	})
	t.Cleanup(server.Close)
	for _, c := range []struct {
		line string
		code int
		want string
	}{
		{"audit control", 0, "RECORD  TIME                  WHAT                  ACTOR  ABOUT                  REMARK\n" +
			"9       2030-01-01T00:00:00Z  environment.archived  Ada    prod                   without approvals, to be reviewed; it leaks\n" +
			"8       2030-01-01T00:00:00Z  policy.changed        -      policies 001122334455  reload of the publisher on host\n" +
			"7       2030-01-01T00:00:00Z  control.reviewed      root   record 4               -\n" +
			"6       -                     keys                  -      version 2              -\n"},
		{"audit control --needs-review --before 9", 0, "RECORD  TIME  WHAT  ACTOR  ABOUT  REMARK\n"},
		{"audit review 9 -m looked", 0, "record 9, environment.archived, is reviewed\n"},
		{"audit review nine", 2, "error: RECORD is a number, such as 12\n"},
		{"audit control --limit 0", 2, "error: --limit is a number from 1 to 1000\n"},
		{"audit -e prod", 0, "FACT  TIME                  WHAT                  ACTOR  REQUEST  DOCUMENTS  REMARK\n" +
			"4     2030-01-01T00:00:00Z  environment.archived  ada    -        -          without approvals; it leaks; record 9 of CONTROL, to be reviewed\n"},
	} {
		code, output := run(t.Context(), server.URL, "admin", "", strings.Fields(c.line)...)
		if diff := cmp.Diff(c.want, output); diff != "" || code != c.code {
			t.Errorf("%s: exit code %d, want %d (-want +got):\n%s", c.line, code, c.code, diff)
		}
	}
}
