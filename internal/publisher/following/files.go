package following

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/lifecycle"
	"github.com/flagside/flagside/internal/publisher/source"
	"github.com/flagside/flagside/internal/publisher/source/watch"
)

// watchRetry is how long it rests when a path cannot be watched, because its directory is not there.
const watchRetry = 2 * time.Second

// files reads a source that is a file or a directory.
type files struct{ path string }

// Run implements reader.
func (f files) Run(ctx context.Context, changed func()) error {
	for ctx.Err() == nil {
		w, err := watch.New(f.path)
		if err != nil {
			lifecycle.Pause(ctx, watchRetry)
			changed()
			continue
		}
		changed() // it may have done so before
		err = w.Run(ctx, false, func(context.Context) bool { return false }, func(context.Context) bool {
			changed()
			return false
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Read implements reader.
func (f files) Read(rules *eval.Ruleset) (*version, error) {
	set, err := source.Read(f.path, rules, rules.Compatibility())
	if errors.Is(err, source.ErrNoFiles) {
		return nil, fmt.Errorf("%w: %w", errEmpty, err)
	}
	if err != nil {
		return nil, err
	}
	return &version{Set: set, digest: hex.EncodeToString(set.Digest[:]), label: labelOf(set)}, nil
}

// Tell implements reader: files are told nothing.
func (files) Tell(outcome) {}

// labels are the directories by which checkouts and mounted ConfigMaps tell their versions apart: the commit, and the time of the update.
var labels = regexp.MustCompile(`^(?:[0-9a-f]{40}|[0-9a-f]{64}|\.\.\d{4}_\d\d_\d\d_.*)$`)

// labelOf returns what people call the version of files, or the beginning of its digest.
func labelOf(set *source.Set) string {
	for part := range strings.SplitSeq(set.Places[0], string(filepath.Separator)) {
		if labels.MatchString(part) {
			return strings.TrimPrefix(part, "..")
		}
	}
	return hex.EncodeToString(set.Digest[:6])
}
