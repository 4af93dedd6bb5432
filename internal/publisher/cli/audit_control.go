package cli

import (
	"cmp"
	"context"

	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/publisher/api"
)

func auditControl() commandline.Invocation {
	var q api.RecordQuery
	var before string
	f := newForm("audit control", "Lists what was done to the installation, the newest first, as CONTROL has it: environments and tokens that were made and "+
		"ended, persons that were erased, the SHA-256 of the policies when they changed, keys, repairs and reviews. You need to be permitted to administer.")
	f.set.Bool(&q.NeedsReview, "needs-review", false, "only what went without approvals and has not been reviewed")
	f.set.Int(&q.Limit, "limit", 100, "maximum number of records, 1 to 1000")
	f.set.String(&before, "before", "", "only records before this number, to continue a list")
	f.check(func() bool { return q.Limit >= 1 && q.Limit <= 1000 }, "--limit is a number from 1 to 1000")
	f.number(&q.Before, &before, "--before is a number, such as 12")
	return f.runs(func(ctx context.Context, s *session) error {
		found, err := s.client.ControlRecords(ctx, q)
		return s.answer(found, err, list("RECORD|TIME|WHAT|ACTOR|ABOUT|REMARK", found.Items, func(r api.Record) []string {
			return []string{decimal(r.Sequence), timeCell(r.Time), cell(r.Type), nameCell(r.Names, r.Actor), recordSubject(r), recordRemark(r)}
		}))
	})
}

func auditReview() commandline.Invocation {
	var record string
	var sequence uint64
	var h api.AdministrationHeaders
	f := newForm("audit review", "Records that you reviewed what another person did to an environment or the installation without approvals.")
	f.set.Argument(&record, "RECORD", "number of the record of CONTROL, as audit and audit control show it")
	f.set.String(&h.Reason, "reason", "", "what you found, at most 500 bytes; it stays in a signed record for ever and cannot be erased: do not name a person").Short("m")
	f.check(func() bool { return isLine(h.Reason) }, "--reason is one line of text")
	f.number(&sequence, &record, "RECORD is a number, such as 12")
	return f.runs(func(ctx context.Context, s *session) error {
		found, err := s.client.ReviewControl(ctx, sequence, h)
		return s.answer(found, err, sentence("record %s, %s, is reviewed", decimal(found.Sequence), cell(found.Type)))
	})
}

// recordSubject says what a record is about.
func recordSubject(r api.Record) string {
	if name := cmp.Or(r.Environment, r.Token, r.Person); name != "" {
		return printable(name)
	}
	switch {
	case r.Digest != "":
		return "policies " + printable(r.Digest[:min(len(r.Digest), hashDigits)])
	case r.KeysVersion != 0:
		return "version " + decimal(r.KeysVersion)
	case r.Reviews != 0:
		return "record " + decimal(r.Reviews)
	default:
		return absent
	}
}

// recordRemark says what else there is to know of a record in a line.
func recordRemark(r api.Record) string {
	var broken, publisher string
	if r.Breaks {
		broken = "without approvals" + toBeReviewed(r.ReviewOpen)
	}
	if r.Publisher != "" {
		publisher = r.Cause + " of the publisher on " + r.Publisher
	}
	return remark(broken, publisher, r.Reason)
}

// toBeReviewed says that something waits for a review, if it does.
func toBeReviewed(open bool) string {
	if open {
		return ", to be reviewed"
	}
	return ""
}
