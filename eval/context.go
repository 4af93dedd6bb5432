package eval

import "errors"

// ErrInvalidContext is wrapped by every error of Ruleset.DecodeContext.
var ErrInvalidContext = errors.New("invalid evaluation context")

// Context is a decoded evaluation context. Its zero value is an empty context that can be used with any Ruleset. It may be reused for
// any number of decodings, and must not be used by two goroutines at once.
type Context struct{}

// Reset empties c and keeps its memory.
func (c *Context) Reset() {}

// DecodeContext reads the JSON object data into c for evaluations of flags of r; nil, empty and null data are an empty context. It
// does not retain data.
func (r *Ruleset) DecodeContext(c *Context, data []byte) error {
	return nil
}
