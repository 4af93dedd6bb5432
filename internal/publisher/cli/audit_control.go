package cli

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/publisher/admin"
)

func auditControl() commandline.Invocation {
	var limit int
	var before string
	var needsReview bool
	f := newForm("audit control", "Lists what was done to the installation, the newest first, as CONTROL has it: environments and tokens that were made and "+
		"ended, persons that were erased, the SHA-256 of the policies when they changed, keys, repairs and reviews. You need to be permitted to administer.")
	f.set.Bool(&needsReview, "needs-review", false, "only what went without approvals and has not been reviewed")
	f.set.Int(&limit, "limit", 100, "maximum number of records, 1 to 1000")
	f.set.String(&before, "before", "", "only records before this number, to continue a list")
	f.check(func() bool { return limit >= 1 && limit <= 1000 }, "--limit is a number from 1 to 1000")
	return f.runs(func(ctx context.Context, s *session) error {
		query := url.Values{"limit": {strconv.Itoa(limit)}}
		if before != "" {
			query.Set("before", before)
		}
		if needsReview {
			query.Set("needsReview", "true")
		}
		found, err := s.do(ctx, admin.Call{Path: []string{"control", "records"}, Query: query})
		if err != nil {
			return err
		}
		return s.print(found.Body, list(
			at("RECORD", "sequence"), at("TIME", "time"), at("WHAT", "type"), named("ACTOR", "actor"), column{"ABOUT", actSubject}, column{"REMARK", actRemark},
		))
	})
}

func auditReview() commandline.Invocation {
	var record, reason string
	f := newForm("audit review", "Records that you reviewed what another person did to an environment or the installation without approvals.")
	f.set.Argument(&record, "RECORD", "number of the record of CONTROL, as audit and audit control show it")
	f.set.String(&reason, "reason", "", "what you found, at most 500 bytes; it stands in a signed record for ever: do not name a person").Short("m")
	f.check(func() bool { return isLine(reason) }, "--reason is one line of text")
	f.check(func() bool {
		n, err := strconv.ParseUint(record, 10, 63)
		return err == nil && n > 0
	}, "RECORD is a number, such as 12")
	return f.runs(func(ctx context.Context, s *session) error {
		found, err := s.do(ctx, admin.Call{Method: http.MethodPost, Path: []string{"control", "records", record, "review"}, Reason: reason})
		if err != nil {
			return err
		}
		return s.print(found.Body, sentence("record %s, %s, is reviewed", "sequence", "type"))
	})
}

// actSubject says what an act is about.
func actSubject(act any) string {
	for _, kind := range []string{"environment", "token", "person"} {
		if text := word(act, kind); text != "" {
			return text
		}
	}
	if digest := word(act, "digest"); digest != "" {
		return "policies " + digest[:min(len(digest), hashDigits)]
	}
	if version := find(act, "keysVersion"); version != nil {
		return "version " + cell(version)
	}
	if reviewed := find(act, "reviews"); reviewed != nil {
		return "record " + cell(reviewed)
	}
	return absent
}

// actRemark says what else there is to know of an act in a line.
func actRemark(act any) string {
	var broken, publisher string
	if find(act, "breakGlass") == true {
		broken = "without approvals" + toBeReviewed(act)
	}
	if host := word(act, "publisher"); host != "" {
		publisher = word(act, "cause") + " of the publisher on " + host
	}
	parts := present(broken, publisher, word(act, "reason"))
	if len(parts) == 0 {
		return absent
	}
	return strings.Join(parts, "; ")
}

// toBeReviewed says that something waits for a review, if it does.
func toBeReviewed(of any) string {
	if find(of, "reviewOpen") == true {
		return ", to be reviewed"
	}
	return ""
}
