package commandline

import (
	"io"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/config"
	"github.com/flagside/flagside/internal/telemetry"
)

// Logging are the options of a logger.
type Logging struct{ level, format string }

// Declare declares the options, with a format by default.
func (l *Logging) Declare(set *config.Set, format telemetry.Format) {
	set.Choice(&l.level, "log-level", "info", telemetry.Levels(), "lowest level to log")
	set.Choice(&l.format, "log-format", string(format),
		[]string{string(telemetry.FormatJSON), string(telemetry.FormatConsole)}, "format of log lines")
}

// Logger returns the logger that the options describe.
func (l *Logging) Logger(out io.Writer) (zerolog.Logger, error) {
	return telemetry.NewLogger(out, l.level, telemetry.Format(l.format))
}
