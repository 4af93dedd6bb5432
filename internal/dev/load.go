package dev

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/handwritten"
	"github.com/flagside/flagside/internal/health"
	"github.com/flagside/flagside/internal/publisher/control"
	"github.com/flagside/flagside/internal/publisher/control/decide"
	flagsync "github.com/flagside/flagside/sync"
)

// actor stands in the log for changes that come from the file.
const actor = "file"

// healthSource sets the conditions of the file.
const healthSource = "file"

// loader makes the environment what the file says. It is used by one goroutine at a time.
type loader struct {
	dev   *Dev
	text  *handwritten.Text // the file as it was read last
	waits string            // why the file could not be carried out last, so that it is said once
	flags []string          // keys, as the file was read last without mistakes; nil before the first time
}

// load reads the file and carries it out. A mistake in the file is reported and changes nothing. It returns whether to try again although
// the file does not change, because the publisher could not do it.
func (l *loader) load(ctx context.Context) (again bool) {
	documents, err := l.read()
	if err != nil {
		l.refuse(ctx, err)
		return false
	}
	result, err := l.replace(ctx, documents)
	if refusal, ok := errors.AsType[*decide.Refusal](err); ok {
		l.refuse(ctx, refusal)
		return false
	}
	if err != nil {
		if ctx.Err() == nil && l.waits != err.Error() {
			l.waits = err.Error()
			l.dev.options.Logger.Warn().Err(err).Msg("flags not loaded yet, trying again")
		}
		return true
	}
	l.accept(documents, result)
	return false
}

// read returns the documents of the file, or all its mistakes.
func (l *loader) read() ([]document.Document, error) {
	data, err := os.ReadFile(l.dev.options.File)
	if errors.Is(err, os.ErrNotExist) {
		return nil, errors.New("the file does not exist: save it, and it is read")
	}
	if err != nil {
		return nil, err
	}
	if l.text, err = handwritten.Open(l.dev.options.File, data); err != nil {
		return nil, placedError{err}
	}
	documents, problems := eval.NewWithin(l.dev.options.Sidecar.MaxEvaluationWork).ParseFile(l.text.JSON(), l.dev.options.Compatibility)
	if err := problems.Err(); err != nil {
		return nil, err
	}
	for _, p := range problems {
		l.dev.options.Logger.Warn().Msg(l.placed(p))
	}
	return documents, nil
}

// placedError begins with the place in the file.
type placedError struct{ error }

// replace writes the difference between the documents and the environment, which it creates when there is none: not before the file is
// good for the first time, so that no sidecar takes an environment for empty that is only not written yet.
func (l *loader) replace(ctx context.Context, documents []document.Document) (control.Result, error) {
	name, command := l.dev.options.Environment, decide.Replace{Documents: documents}
	if err := command.Validate(); err != nil {
		return control.Result{}, err
	}
	service, err := l.dev.publisher.Control(ctx, name)
	if errors.Is(err, flagsync.ErrEnvironmentUnknown) {
		if _, err = l.dev.publisher.Create(ctx, name, actor, ""); err == nil {
			service, err = l.dev.publisher.Control(ctx, name)
		}
	}
	if err != nil {
		return control.Result{}, err
	}
	origin := decide.Origin{Actor: actor, Owner: true}
	result, err := service.Do(ctx, origin, command)
	if err == nil || !historyLost(service) {
		return result, err
	}
	// The file is the truth, so whatever has become of the log needs no one's decision.
	if err := l.dev.publisher.Renew(ctx, name, origin, documents); err != nil {
		return control.Result{}, err
	}
	return service.Do(ctx, origin, command)
}

// lost reports whether the log of the environment is gone or is another one.
func (l *loader) lost(ctx context.Context) bool {
	service, err := l.dev.publisher.Control(ctx, l.dev.options.Environment)
	return err == nil && historyLost(service)
}

func historyLost(service *control.Service) bool {
	status := service.Status()
	return errors.Is(service.Writable(), flagsync.ErrStreamLost) || status.DifferentHistory != nil || status.Hole != nil
}

func (l *loader) accept(documents []document.Document, result control.Result) {
	l.dev.waiting.Store(false)
	l.flags, l.waits = []string{}, ""
	for _, d := range documents {
		if d.Kind == document.KindFlag {
			l.flags = append(l.flags, d.Key)
		}
	}
	mended := len(l.dev.health.Reconcile(healthSource, nil).Ended) > 0
	if result.Written == 0 && !mended {
		return
	}
	l.dev.options.Logger.Info().
		Str("file", l.dev.options.File).
		Int("flags", len(l.flags)).
		Int("changed", result.Written).
		Str("revision", result.Position.Token().String()).
		Msg("flags loaded")
}

// refuse reports what is wrong with the file, one line a mistake.
func (l *loader) refuse(ctx context.Context, err error) {
	places := []string{fmt.Sprintf("%s: %v", l.dev.options.File, err)}
	if placed, ok := errors.AsType[placedError](err); ok {
		places = []string{placed.Error()}
	} else if problems, ok := errors.AsType[eval.Problems](err); ok {
		places = l.allPlaced(problems)
	} else if refusal, ok := errors.AsType[*decide.Refusal](err); ok && len(refusal.Problems) > 0 {
		places = l.allPlaced(refusal.Problems)
	}
	l.dev.health.Reconcile(healthSource, map[health.Code]string{health.FileRefused: strings.Join(places, "\n")})
	for _, place := range places {
		l.dev.options.Logger.Error().Msg("refused: " + place)
	}
	if l.published(ctx) {
		l.dev.waiting.Store(false)
		l.dev.options.Logger.Warn().Msg("file refused: fix it, its last good version stays in use")
	}
}

// published reports whether the environment has what the file said before, which a data directory may keep from another run.
func (l *loader) published(ctx context.Context) bool {
	_, err := l.dev.publisher.Control(ctx, l.dev.options.Environment)
	return err == nil
}

func (l *loader) allPlaced(problems eval.Problems) []string {
	var lines []string
	for _, p := range problems {
		lines = append(lines, l.placed(p))
	}
	return lines
}

// placed returns a problem with the file and the place in it, as compilers write it.
func (l *loader) placed(p eval.Problem) string {
	return l.text.Problem(p).Error()
}
