package audit

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/flagside/flagside/sync/changelog"
)

// checkpointBegin is the first line of a checkpoint.
const checkpointBegin = "flagside checkpoint 2\n"

// NewestCheckpoint returns the last checkpoint in the text of a file to which they were appended; the text itself if it is one, or none.
func NewestCheckpoint(text string) string {
	if at := strings.LastIndex(text, checkpointBegin); at >= 0 {
		text = text[at:]
	}
	return strings.TrimRight(text, "\n") + "\n"
}

// Checkpoints appends a signed checkpoint to a file whenever a history has grown. Kept where publishers cannot change it, such a file
// contradicts a history that is shortened or rewritten later.
type Checkpoints struct {
	File     string
	Interval time.Duration // between two looks
	Signer   *changelog.Signer
	// Heads returns how far the streams go, in any order.
	Heads func() []changelog.StreamHead
	// Failed is told what went wrong. The next look tries again.
	Failed func(error)
}

// Run appends until ctx ends, and a last time then. It returns nil.
func (c Checkpoints) Run(ctx context.Context) error {
	look := time.NewTicker(c.Interval)
	defer look.Stop()
	var written []changelog.StreamHead
	for {
		done := false
		select {
		case <-look.C:
		case <-ctx.Done():
			done = true
		}
		heads := c.Heads()
		slices.SortFunc(heads, func(a, b changelog.StreamHead) int { return strings.Compare(a.Stream, b.Stream) })
		if len(heads) > 0 && !slices.Equal(heads, written) {
			if err := c.append(heads); err != nil {
				c.Failed(err)
			} else {
				written = heads
			}
		}
		if done {
			return nil
		}
	}
}

func (c Checkpoints) append(heads []changelog.StreamHead) error {
	signed, err := c.Signer.SignCheckpoint(changelog.Checkpoint{Time: time.Now(), Heads: heads})
	if err != nil {
		return err
	}
	file, err := os.OpenFile(c.File, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	_, err = file.WriteString(signed + "\n")
	if err == nil {
		err = file.Sync()
	}
	if closing := file.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	return nil
}
