package following

import (
	"context"
	"errors"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/publisher/source"
)

// errEmpty means that a source has nothing in it, not even something that says that there is no flag.
var errEmpty = errors.New("it is empty")

// version is what a source says at one time.
type version struct {
	*source.Set

	digest string
	label  string // for people; empty if there is none
	order  uint64 // grows from version to version; 0 if that is not known
	// certain tells that nothing was newer when it was read.
	certain bool
	// marks are the owners of documents that are not owned by the source itself but by something in it.
	marks map[document.ID]string
}

// reader reads a source.
type reader interface {
	// Run tells whenever the source may have changed, until ctx ends.
	Run(ctx context.Context, changed func()) error
	// Read returns what the source says now. Its documents may refer to those of the rules. The error wraps errEmpty if there is nothing.
	Read(rules *eval.Ruleset) (*version, error)
	// Tell is told what became of the version that was read last.
	Tell(o outcome)
}

// outcome is what became of a version.
type outcome struct {
	Status

	version *version // nil if it could not be read
	// changed are the documents that were changed, put or deleted, and asked those that a change request is for.
	changed, asked []source.Change
	// problems are what is wrong with documents, besides the findings of the version.
	problems eval.Problems
	// conflicts have the owners of what others have.
	conflicts []source.Conflict
}
