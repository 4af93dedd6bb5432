package cli

import (
	"net/url"
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
	f.set.String(&wanted.since, "since", "", "only what happened since then: a time such as 2030-01-31T08:00:00Z, or so long ago, such as 24h or 7d")
	f.set.String(&wanted.until, "until", "", "only what happened before then, like --since")
	f.set.Int(&wanted.limit, "limit", 100, "maximum number, 1 to 1000")
	f.set.String(&wanted.before, "before", "", before)
	f.check(func() bool { return wanted.limit >= 1 && wanted.limit <= 1000 }, "--limit is a number from 1 to 1000")
	f.check(func() bool { return isPast(wanted.since) && isPast(wanted.until) },
		"--since and --until are times such as 2030-01-31T08:00:00Z, or durations before now such as 24h or 7d")
}

// query asks the API for what is wanted, and for a value of one more member if that is not empty.
func (l filter) query(now time.Time, member, value string) url.Values {
	query := url.Values{"limit": {strconv.Itoa(l.limit)}}
	for name, value := range map[string]string{
		"actor": l.actor, "since": past(l.since, now), "until": past(l.until, now), "before": l.before, member: value,
	} {
		if value != "" {
			query.Set(name, value)
		}
	}
	return query
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

// past returns a time as the API reads it, from one, or from a duration before now; nothing from nothing.
func past(text string, now time.Time) string {
	if d, err := ago(text); err == nil {
		return now.Add(-d).UTC().Format(time.RFC3339Nano)
	}
	return text
}
