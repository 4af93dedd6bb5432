package audit

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/flagside/flagside/internal/lifecycle"
	"github.com/flagside/flagside/sync/changelog"
)

// checkpointBegin is the first line of a checkpoint.
const checkpointBegin = "flagside checkpoint 2\n"

// splitCheckpoints returns the signed checkpoints in the text of a file to which they were appended. One that was written in part is
// returned as it is.
func splitCheckpoints(text string) (all []string) {
	parts := strings.Split(text, checkpointBegin)
	if first := strings.TrimSpace(parts[0]); first != "" {
		all = append(all, first+"\n")
	}
	for _, part := range parts[1:] {
		all = append(all, checkpointBegin+strings.TrimRight(part, "\n")+"\n")
	}
	return all
}

// Checkpoints appends a signed checkpoint to a file whenever a history has grown. Kept where publishers cannot change it, such a file
// contradicts a history that is shortened or rewritten later. Several processes may append to one file. The file is opened for each
// checkpoint, so it can be moved away at any time.
type Checkpoints struct {
	File     string
	Interval time.Duration // between two looks
	// Signer returns who signs now, or why nothing may be signed.
	Signer func() (*changelog.Signer, error)
	// Heads returns how far the streams go, in any order.
	Heads func() []changelog.StreamHead
	// Note is told what became of each attempt to append: nil, or why nothing was written, which the next look tries again.
	Note func(error)
}

// Run appends until ctx ends, and a last time then. It returns nil.
func (c Checkpoints) Run(ctx context.Context) error {
	var written []changelog.StreamHead
	look := func(context.Context) { written = c.look(written) }
	err := lifecycle.Every(ctx, c.Interval, look)
	look(ctx)
	return err
}

// look appends a checkpoint if the heads are others than those that were written last, and returns those that were written last now.
func (c Checkpoints) look(written []changelog.StreamHead) []changelog.StreamHead {
	heads := c.Heads()
	slices.SortFunc(heads, func(a, b changelog.StreamHead) int { return cmp.Compare(a.Stream, b.Stream) })
	if len(heads) == 0 || slices.Equal(heads, written) {
		return written
	}
	err := c.append(heads)
	c.Note(err)
	if err != nil {
		return written
	}
	return heads
}

func (c Checkpoints) append(heads []changelog.StreamHead) error {
	signer, err := c.Signer()
	if err != nil {
		return err
	}
	signed, err := signer.SignCheckpoint(changelog.Checkpoint{Time: time.Now(), Heads: heads})
	if err != nil {
		return err
	}
	file, err := os.OpenFile(c.File, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	_, err = file.WriteString(signed + "\n") // at once, so that what others append does not come between
	if syncing := file.Sync(); err == nil {
		err = syncing
	}
	if closing := file.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return fmt.Errorf("%s: %w", c.File, err)
	}
	return nil
}
