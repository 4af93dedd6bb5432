package eval

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
)

// ErrInvalidContext is wrapped by every error of Ruleset.DecodeContext.
var ErrInvalidContext = errors.New("invalid evaluation context")

// maxContextDepth bounds the nesting of an evaluation context in strict mode.
const maxContextDepth = 32

// Context is a decoded evaluation context, and the working memory of evaluations with it. Its zero value is an empty context that can
// be used with any Ruleset. It may be reused for any number of decodings, and must not be used by two goroutines at once. A Context
// that was decoded for one Ruleset is only meaningful to flags of that Ruleset.
type Context struct {
	slots []value // by slot of the attribute table
	root  value   // the whole context; only set if some rule reads it

	// What decoding needs. Strings in slots and root are parts of content or of unescaped.
	content   []byte
	unescaped []byte
	source    bytes.Buffer
	decoder   jsontext.Decoder
	pending   []value // elements of arrays and objects that are still open
	names     []string
	depthMax  int
	lenient   bool

	// What evaluation needs.
	flag    *Flag
	now     int64 // unix seconds
	scopes  []value
	stack   []value
	scratch []byte
}

// maxKept bounds the memory for text that a Context keeps for reuse.
const maxKept = 1 << 16

// Reset empties c and keeps its memory, unless an unusually large context has made that large.
func (c *Context) Reset() {
	if cap(c.content) > maxKept {
		*c = Context{}
		return
	}
	clear(c.slots)
	c.slots = c.slots[:0]
	c.root = value{}
	c.content = c.content[:0]
	c.unescaped = c.unescaped[:0]
	c.pending = c.pending[:0]
	c.names = c.names[:0]
}

// slot returns the attribute in a slot. Contexts may be older than the newest slots.
func (c *Context) slot(i int) value {
	if i < len(c.slots) {
		return c.slots[i]
	}
	return value{}
}

// DecodeContext reads the JSON object data into c for evaluations of flags of r; nil, empty and null data are an empty context. It
// does not retain data. Errors wrap ErrInvalidContext and never contain data; after an error c is empty.
//
// Duplicate names, more than 32 levels of nesting, numbers that are out of range, and anything after the object are refused. With
// CompatibilityFlagd, the last of duplicate names wins, nesting is not limited to 32, what follows the object is ignored, and data
// that is no object is an empty context.
func (r *Ruleset) DecodeContext(c *Context, data []byte) error {
	c.Reset()
	data = bytes.TrimLeft(data, " \t\r\n")
	if len(data) == 0 {
		return nil
	}
	c.lenient = r.compatibility == CompatibilityFlagd
	c.depthMax = maxContextDepth
	if c.lenient {
		c.depthMax = lenientContextDepth
	}
	if err := c.decode(r, data); err != nil {
		c.Reset()
		return fmt.Errorf("%w: %w", ErrInvalidContext, err)
	}
	return nil
}

// lenientContextDepth is the deepest nesting that encoding/json, and so flagd, reads.
const lenientContextDepth = 10000

// These errors name what is wrong with a context. None contains a part of it.
var (
	errNotObject    = errors.New("the context is not a JSON object")
	errTrailing     = errors.New("the context is followed by more data")
	errContextDepth = errors.New("the context is nested too deeply")
	errNumberRange  = errors.New("the context contains a number that is out of range")
	errSyntax       = errors.New("the context is not valid JSON or names a member twice")
)

func (c *Context) decode(r *Ruleset, data []byte) error {
	c.content = append(c.content, data...)
	c.source = *bytes.NewBuffer(c.content)
	c.decoder.Reset(&c.source, r.contextOptions...)
	table := r.attributes
	if cap(c.slots) < table.slots {
		c.slots = make([]value, table.slots)
	}
	c.slots = c.slots[:table.slots]

	if c.decoder.PeekKind() != '{' {
		return c.decodeOther()
	}
	if table.whole {
		if err := c.decodeWhole(table); err != nil {
			return err
		}
	} else if err := c.decodeObject(table.root, 1); err != nil {
		return err
	}
	if rest := c.content[c.decoder.InputOffset():]; !c.lenient && len(bytes.TrimLeft(rest, " \t\r\n")) > 0 {
		return errTrailing
	}
	return nil
}

// decodeOther handles data that is no object: null is an empty context, and with flagd everything else is as well.
func (c *Context) decodeOther() error {
	raw, err := c.decoder.ReadValue()
	if err != nil {
		return errSyntax
	}
	if raw.Kind() != 'n' && !c.lenient {
		return errNotObject
	}
	if rest := c.content[c.decoder.InputOffset():]; !c.lenient && len(bytes.TrimLeft(rest, " \t\r\n")) > 0 {
		return errTrailing
	}
	return nil
}

// decodeObject reads an object, of which only the children of a are wanted.
func (c *Context) decodeObject(a *attribute, depth int) error {
	if depth > c.depthMax {
		return errContextDepth
	}
	if _, err := c.decoder.ReadToken(); err != nil {
		return errSyntax
	}
	for c.decoder.PeekKind() == '"' {
		raw, err := c.decoder.ReadValue()
		if err != nil {
			return errSyntax
		}
		child := c.child(a, raw)
		if child == nil {
			err = c.skip(depth)
		} else {
			err = c.decodeAttribute(child, depth)
		}
		if err != nil {
			return err
		}
	}
	if _, err := c.decoder.ReadToken(); err != nil {
		return errSyntax
	}
	return nil
}

// child returns the child of a that a quoted member name means, or nil if no rule reads it. No slot belongs to $flagd, so what a
// client sends under that name is skipped.
func (c *Context) child(a *attribute, quoted []byte) *attribute {
	name := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(name, '\\') >= 0 {
		start := len(c.unescaped)
		c.unescaped, _ = jsontext.AppendUnquote(c.unescaped, quoted)
		name = c.unescaped[start:]
	}
	return a.children[string(name)]
}

// skip reads a value that no rule reads; it is checked all the same.
func (c *Context) skip(depth int) error {
	raw, err := c.decoder.ReadValue()
	if err != nil {
		return errSyntax
	}
	return checkSkipped(raw, c.depthMax-depth)
}

// decodeAttribute reads the value of an attribute that rules read, or of which they read parts.
func (c *Context) decodeAttribute(a *attribute, depth int) error {
	if c.lenient {
		c.forget(a)
	}
	if len(a.children) > 0 && a.slot == noSlot && c.decoder.PeekKind() == '{' {
		return c.decodeObject(a, depth+1)
	}
	v, err := c.decodeValue(depth)
	if err != nil {
		return err
	}
	c.fill(a, v)
	return nil
}

// forget empties the slots of an attribute, for a member that is named again.
func (c *Context) forget(a *attribute) {
	if a.slot != noSlot {
		c.slots[a.slot] = value{}
	}
	for _, child := range a.children {
		c.forget(child)
	}
}

// fill stores v, and the parts of it that rules read, in their slots.
func (c *Context) fill(a *attribute, v value) {
	if a.slot != noSlot {
		c.slots[a.slot] = v
	}
	for name, child := range a.children {
		switch v.kind {
		case kindObject:
			c.fill(child, v.member(name))
		case kindArray:
			c.fill(child, element(v, name))
		default:
			c.fill(child, value{})
		}
	}
}
