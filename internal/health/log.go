package health

import (
	"time"

	"github.com/rs/zerolog"
)

// Begin is Set, and logs when the condition begins, at the level of its severity.
func (t *Tracker) Begin(logger zerolog.Logger, code Code, detail string) {
	if !t.Set(code, detail) {
		return
	}
	condition := t.conditions[code]
	logger.WithLevel(condition.Severity.level()).Str("condition", string(code)).Str("meaning", condition.Sentence).Str("detail", detail).Msg("condition began")
}

// End is Clear, and logs when the condition ends, with how long it lasted.
func (t *Tracker) End(logger zerolog.Logger, code Code) {
	began, was := t.since(code)
	if t.Clear(code) && was {
		logger.Info().Str("condition", string(code)).Stringer("after", t.now().Sub(began).Round(time.Millisecond)).Msg("condition ended")
	}
}

// since returns when the condition began, if it is active.
func (t *Tracker) since(code Code) (began time.Time, active bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	a, active := t.active[code]
	return a.Since, active
}

// level is the level at which the beginning of a condition is logged.
func (s Severity) level() zerolog.Level {
	switch s {
	case SeverityCritical:
		return zerolog.ErrorLevel
	case SeverityInfo:
		return zerolog.InfoLevel
	default:
		return zerolog.WarnLevel
	}
}
