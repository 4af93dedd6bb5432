package telemetry

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/rs/zerolog"
)

// Format is how log lines look.
type Format string

// The formats of log lines.
const (
	// FormatJSON writes one JSON object a line with the members level, time and message beside the event's own. These are zerolog's
	// names: others could only be set for the whole process at once.
	FormatJSON Format = "json"
	// FormatConsole writes lines for people, without colour.
	FormatConsole Format = "console"
)

// Levels returns the names of the log levels, most verbose first.
func Levels() []string { return []string{"debug", "info", "warn", "error"} }

// timeFormat is RFC 3339 with milliseconds.
const timeFormat = "2006-01-02T15:04:05.000Z07:00"

// NewLogger returns a logger that writes events of the level and above to w, each with its time in UTC. The level is one of Levels.
// The logger may be copied and used by any number of goroutines if w allows concurrent writes, as files do; it hands each event to w
// in one Write.
func NewLogger(w io.Writer, level string, format Format) (zerolog.Logger, error) {
	threshold, err := parseLevel(level)
	if err != nil {
		return zerolog.Nop(), err
	}
	switch format {
	case FormatJSON:
	case FormatConsole:
		w = zerolog.ConsoleWriter{Out: w, NoColor: true, TimeFormat: timeFormat, TimeLocation: time.UTC}
	default:
		return zerolog.Nop(), fmt.Errorf("log format %q is neither %s nor %s", format, FormatJSON, FormatConsole)
	}
	return zerolog.New(w).Level(threshold).Hook(zerolog.HookFunc(stamp)), nil
}

// parseLevel returns the level with the name.
func parseLevel(name string) (zerolog.Level, error) {
	for i, known := range Levels() {
		if name == known {
			return zerolog.DebugLevel + zerolog.Level(i), nil
		}
	}
	return zerolog.Disabled, fmt.Errorf("log level %q is not one of %s", name, strings.Join(Levels(), ", "))
}

// stamp adds the time to an event. The logger's own time stamps have a resolution of one second that is set for the whole process.
func stamp(event *zerolog.Event, _ zerolog.Level, _ string) {
	event.Str(zerolog.TimestampFieldName, time.Now().UTC().Format(timeFormat))
}
