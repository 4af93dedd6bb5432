package cli

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// filter says which items of a long list are wanted.
type filter struct {
	actor, since, until, before string
	limit                       int
}

// filters declares the options of a filter. before says what its option takes.
func (f *form) filters(wanted *filter, before string) {
	f.set.String(&wanted.actor, "actor", "", "only what this principal did, by the id that whoami and person list show")
	f.set.String(&wanted.since, "since", "", "only what happened since then: a time such as 2030-01-31T08:00:00Z, or a duration ago, such as 24h or 7d")
	f.set.String(&wanted.until, "until", "", "only what happened before then, in the form of --since")
	f.set.Int(&wanted.limit, "limit", 100, "maximum number, 1 to 1000")
	f.set.String(&wanted.before, "before", "", before)
	f.check(func() bool { return wanted.limit >= 1 && wanted.limit <= 1000 }, "--limit is a number from 1 to 1000")
	f.check(func() bool { return isPast(wanted.since) && isPast(wanted.until) },
		"--since and --until are times such as 2030-01-31T08:00:00Z, or durations before now such as 24h or 7d")
}

// number declares that a text, if there is one, is a number from 1 on; it is read into n.
func (f *form) number(n *uint64, text *string, otherwise string) {
	f.checks = append(f.checks, func() (err error) {
		if *text == "" {
			return nil
		}
		if *n, err = strconv.ParseUint(*text, 10, 63); err != nil || *n == 0 {
			return errors.New(otherwise)
		}
		return nil
	})
}

// isPast reports whether past can read text.
func isPast(text string) bool {
	if d, err := ago(text); err == nil {
		return d > 0
	}
	return isTime(text)
}

// ago reads a duration, also in days, such as 7d.
func ago(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		return time.Duration(n) * 24 * time.Hour, err
	}
	return time.ParseDuration(text)
}

// past returns a time, or that of a duration before now; nothing from nothing.
func past(text string, now time.Time) time.Time {
	if d, err := ago(text); err == nil {
		return now.Add(-d).UTC()
	}
	at, _ := timeOf(text, now) // isPast has read it
	return at
}
