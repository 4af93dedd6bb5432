package sidecar

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/eval"
)

const (
	maxErring     = 100             // flags that /status lists, and that have a label in metrics
	erringLimit   = 5 * time.Minute // how long after its last error a flag is named by the condition
	erringSpacing = time.Minute     // between log lines about evaluation errors
)

// erring is what is known about the errors of one flag. Only flags that have ever erred have one.
type erring struct {
	key            string
	parse, general uint64
	last           time.Time // when new errors were last seen
	labelled       bool      // it has a label of its own in metrics
}

// erringFlags notices which flags err. It belongs to the holder of Sidecar.refresh. Its zero value is ready.
type erringFlags struct {
	known    map[string]*erring
	labelled int    // how many of them are
	fresh    uint64 // errors since the last log line
	logged   time.Time
}

// note takes over the counts of the flags, and forgets those that no longer exist.
func (e *erringFlags) note(flags []*eval.Flag, now time.Time) {
	seen := 0
	for _, f := range flags {
		parse, general := f.Errors()
		if parse+general == 0 {
			continue
		}
		seen++
		one := e.known[f.Key()]
		if one == nil {
			if e.known == nil {
				e.known = make(map[string]*erring)
			}
			one = &erring{key: f.Key(), labelled: e.labelled < maxErring}
			if one.labelled {
				e.labelled++
			}
			e.known[f.Key()] = one
		}
		if parse != one.parse || general != one.general {
			if parse+general < one.parse+one.general { // the flag was deleted and made again
				one.parse, one.general = 0, 0
			}
			e.fresh += parse + general - one.parse - one.general
			one.parse, one.general, one.last = parse, general, now
		}
	}
	if seen < len(e.known) {
		e.forget(flags)
	}
}

func (e *erringFlags) forget(flags []*eval.Flag) {
	exists := make(map[string]bool, len(flags))
	for _, f := range flags {
		parse, general := f.Errors()
		exists[f.Key()] = parse+general > 0
	}
	for key := range e.known {
		if !exists[key] {
			if e.known[key].labelled {
				e.labelled--
			}
			delete(e.known, key)
		}
	}
}

// list returns the flags that have erred, those with the newest errors first.
func (e *erringFlags) list() []erring {
	all := make([]erring, 0, len(e.known))
	for _, one := range e.known {
		all = append(all, *one)
	}
	slices.SortFunc(all, func(a, b erring) int { return cmp.Or(b.last.Compare(a.last), cmp.Compare(a.key, b.key)) })
	return all
}

// report writes a line a minute at most about flags that err.
func (e *erringFlags) report(logger zerolog.Logger, now time.Time) {
	if e.fresh == 0 || now.Sub(e.logged) < erringSpacing {
		return
	}
	logger.Warn().Uint64("errors", e.fresh).Str("flags", namesOf(lately(e.list(), now))).Msg("evaluations failed")
	e.fresh, e.logged = 0, now
}

// lately returns the flags that have erred within erringLimit.
func lately(all []erring, now time.Time) []erring {
	return slices.DeleteFunc(slices.Clone(all), func(one erring) bool { return now.Sub(one.last) > erringLimit })
}

// namesOf names the first flags with their error codes.
func namesOf(all []erring) string {
	const most = 5
	names := make([]string, 0, most+1)
	for _, one := range all[:min(most, len(all))] {
		var codes []string
		for code, n := range map[eval.ErrorCode]uint64{eval.ErrorParse: one.parse, eval.ErrorGeneral: one.general} {
			if n > 0 {
				codes = append(codes, fmt.Sprintf("%d times %s", n, code))
			}
		}
		slices.Sort(codes)
		names = append(names, fmt.Sprintf("%q: %s", one.key, strings.Join(codes, ", ")))
	}
	if more := len(all) - most; more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(names, "; ")
}
