package publisher_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/internal/publisher/access"
)

// names are what answers may repeat of a request.
var names = regexp.MustCompile(`[fs]-(there|missing)|burning-there|[A-Z0-9]{26}|staging|unknown|[0-9a-f]{8}-[0-9]+|[0-9a-f]{64}`)

// Anyone who may not read an environment learns nothing of it by any operation: what exists and what does not get the same answer.
func TestNoOperationTellsWithoutRead(t *testing.T) {
	skipShort(t)
	t.Parallel()
	r := governed(t, publisher.Options{FixedTokens: []access.FixedToken{
		{Secret: secretOf("stranger"), Principal: access.Principal{ID: "stranger", Kind: access.KindToken, Groups: []string{"nothing"}}},
		{Secret: secretOf("writer"), Principal: access.Principal{
			ID: "writer", Kind: access.KindToken, Groups: []string{access.RoleAdmin},
			Scope: access.Scope{Actions: []access.Action{access.Change, access.Propose, access.Approve, access.Apply, access.Archive}},
		}},
	}})
	r.create("staging")
	there := r.newStage("staging", "there")
	missing := stage{
		environment: "staging", flag: "f-missing", segment: "s-missing", request: strings.Repeat("A", 26), broken: strings.Repeat("B", 26),
		etag: there.etag, segmentETag: there.segmentETag, settingsETag: there.settingsETag, hash: strings.Repeat("0", 64),
	}
	elsewhere := missing
	elsewhere.environment = "unknown"
	for _, attempt := range attempts() {
		if strings.HasPrefix(attempt.name, "whoami") || strings.HasPrefix(attempt.name, "checkPolicy") {
			continue // about the caller alone
		}
		for _, role := range []string{"stranger", "writer"} {
			var answers []string
			for _, s := range []stage{there, missing, elsewhere} {
				method, path, body, headers := attempt.make(s)
				if !strings.Contains(path, "/environments/") {
					break
				}
				got := r.ask(method, path, body, append(headers, "Authorization", "Bearer "+secretOf(role))...)
				if got.status < http.StatusBadRequest {
					t.Errorf("%s by %s answers %d %s", attempt.name, role, got.status, got.body)
				}
				answers = append(answers, names.ReplaceAllString(got.body, "…"))
			}
			for _, answer := range answers {
				if answer != answers[0] {
					t.Errorf("%s by %s answers\n%s\nand\n%s", attempt.name, role, answers[0], answer)
				}
			}
		}
	}
}
