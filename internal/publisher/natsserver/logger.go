package natsserver

import (
	"fmt"
	"strings"
	"sync"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/telemetry"
)

// logger writes what the server has to say as zerolog events, and keeps the
// first fatal message: the server itself only reports it here and goes on.
type logger struct {
	log zerolog.Logger
	// repeats gets warnings and errors, which clients can cause at will.
	repeats *telemetry.Repeats
	storage *storage // told of warnings and errors

	mu    sync.Mutex
	fatal chan struct{} // closed at the first fatal message; made by failed
	err   error
}

func (l *logger) Noticef(format string, v ...any) { l.log.Debug().Msgf(format, v...) }
func (l *logger) Debugf(format string, v ...any)  { l.log.Trace().Msgf(format, v...) }
func (l *logger) Tracef(format string, v ...any)  { l.log.Trace().Msgf(format, v...) }

func (l *logger) Warnf(format string, v ...any) {
	l.storage.read(fmt.Sprintf(format, v...))
	l.repeated(zerolog.WarnLevel, format, v...)
}

func (l *logger) Errorf(format string, v ...any) {
	l.storage.read(fmt.Sprintf(format, v...))
	l.repeated(zerolog.ErrorLevel, format, v...)
}

func (l *logger) repeated(level zerolog.Level, format string, v ...any) {
	l.repeats.Line(level, kindOf(format), func(e *zerolog.Event) { e.Msgf(format, v...) })
}

// kindOf returns the kind of a line. Formats of lines about clients begin with the client, which may call itself whatever it likes.
func kindOf(format string) string {
	if !strings.Contains(format, " - cid:") {
		return format
	}
	for _, kind := range []string{"Publish Violation", "Subscription Violation", "authentication", "maximum"} {
		if strings.Contains(format, kind) {
			return "NATS client: " + kind
		}
	}
	return "NATS client"
}

func (l *logger) Fatalf(format string, v ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return
	}
	l.err = fmt.Errorf(format, v...)
	if l.fatal == nil {
		l.fatal = make(chan struct{})
	}
	close(l.fatal)
}

// failed returns a channel that is closed once the server cannot go on.
func (l *logger) failed() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fatal == nil {
		l.fatal = make(chan struct{})
	}
	return l.fatal
}

// failure returns why the server cannot go on, or nil.
func (l *logger) failure() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}
