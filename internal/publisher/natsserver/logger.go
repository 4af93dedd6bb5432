package natsserver

import (
	"fmt"
	"sync"

	"github.com/rs/zerolog"
)

// logger writes what the server has to say as zerolog events, and keeps the
// first fatal message: the server itself only reports it here and goes on.
type logger struct {
	log zerolog.Logger

	mu    sync.Mutex
	fatal chan struct{} // closed at the first fatal message; made by failed
	err   error
}

func (l *logger) Noticef(format string, v ...any) { l.log.Debug().Msgf(format, v...) }
func (l *logger) Warnf(format string, v ...any)   { l.log.Warn().Msgf(format, v...) }
func (l *logger) Errorf(format string, v ...any)  { l.log.Error().Msgf(format, v...) }
func (l *logger) Debugf(format string, v ...any)  { l.log.Trace().Msgf(format, v...) }
func (l *logger) Tracef(format string, v ...any)  { l.log.Trace().Msgf(format, v...) }

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
