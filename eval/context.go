package eval

import (
	"bytes"
	"errors"
	"fmt"
	"time"
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

	// What decoding needs. Strings in slots are parts of content or of unescaped, lists and objects parts of items,
	// memberNames and compounds.
	content     []byte
	unescaped   []byte
	items       []value
	compounds   []compound
	memberNames []string
	pending     []value  // elements of arrays and objects that are still open
	names       []string // names of members of objects that are still open
	at          int      // how much of content has been read
	from        int      // where the context begins in content
	depthMax    int
	forgotten   int // see maxForgotten
	lenient     bool

	// The content as one value, which is decoded when a rule asks for it.
	root     value
	noObject bool // what was decoded is null or, with flagd, any other value

	// What evaluation needs.
	flag     *Flag
	rule     uint16 // see Result.Rule
	now      int64  // unix seconds
	rootFlag *Flag  // whose $flagd member is in root
	clock    clock
	trace    *trace // nil unless the evaluation is to be explained
	scopes   []value
	stack    []value
	scratch  []byte
	limit    int // of the evaluation, see Work
	left     int // what the evaluation may still spend
}

// maxKept bounds the memory for text that a Context keeps for reuse, and maxKeptItems the number of elements and members.
const (
	maxKept      = 1 << 16
	maxKeptItems = 1 << 10
)

// Reset empties c and keeps its memory, unless an unusually large context has made that large.
func (c *Context) Reset() {
	if cap(c.content) > maxKept || cap(c.scratch) > maxKept || cap(c.items) > maxKeptItems {
		*c = Context{}
		return
	}
	clear(c.slots)
	c.slots = c.slots[:0]
	c.content, c.unescaped = c.content[:0], c.unescaped[:0]
	c.items, c.compounds, c.memberNames = c.items[:0], c.compounds[:0], c.memberNames[:0]
	c.pending, c.names = c.pending[:0], c.names[:0]
	c.root, c.noObject, c.rootFlag, c.from = value{}, false, nil, 0
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
// What is not UTF-8 in a string, and half of a surrogate pair, is read as U+FFFD: an application that cuts a text in the middle of an emoji
// sends that. Names that are equal once it is replaced are duplicates.
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
	errAgain        = errors.New("the context names the same members again too often")
	errSyntax       = errors.New("the context is not valid JSON or names a member twice")
)

func (c *Context) decode(r *Ruleset, data []byte) error {
	table := r.newestAttributes()
	c.content, c.at, c.forgotten = append(c.content, data...), 0, 0
	c.makeSlots(table)
	if err := c.decodeTop(table); err != nil {
		return err
	}
	if c.peek() != endOfContent && !c.lenient {
		return errTrailing
	}
	return nil
}

// makeSlots makes the slots of a table, which are empty.
func (c *Context) makeSlots(table *attributeTable) {
	if cap(c.slots) < table.slots {
		c.slots = make([]value, table.slots)
	}
	c.slots = c.slots[:table.slots]
}

// decodeTop reads an object. Anything else is an empty context: null, and with flagd every value.
func (c *Context) decodeTop(table *attributeTable) error {
	switch first := c.peek(); {
	case first == '{':
		return c.decodeObject(table.root, 1)
	case first == 'n', c.lenient:
		c.noObject = true
		return c.skip(0)
	}
	if err := c.skip(0); err != nil {
		return err
	}
	return errNotObject
}

// decodeObject reads an object, of which only the children of a are wanted.
func (c *Context) decodeObject(a *attribute, depth int) error {
	if depth > c.depthMax {
		return errContextDepth
	}
	o := c.openObject()
	for o.next(c) {
		child := a.child(&o)
		if child == nil {
			// No slot belongs to $flagd either, so what a client sends under that name is skipped.
			o.err = c.skip(depth)
			continue
		}
		if c.lenient && o.earlier(c) >= 0 {
			o.err = c.forget(child)
		}
		if o.err == nil {
			o.err = c.decodeAttribute(child, depth)
		}
	}
	return o.close(c)
}

// decodeAttribute reads the value of an attribute that rules read, or of which they read parts.
func (c *Context) decodeAttribute(a *attribute, depth int) error {
	if len(a.children) > 0 && a.slot == noSlot && c.peek() == '{' {
		return c.decodeObject(a, depth+1)
	}
	v, err := c.decodeValue(depth)
	if err != nil {
		return err
	}
	c.fill(a, v)
	return nil
}

// maxForgotten bounds how many attributes a context may name again, those below others included: every time each of them is looked at.
const maxForgotten = 1 << 20

// forget empties the slots of an attribute, for a member that is named again.
func (c *Context) forget(a *attribute) error {
	if c.forgotten++; c.forgotten > maxForgotten {
		return errAgain
	}
	if a.slot != noSlot {
		c.slots[a.slot] = value{}
	}
	for _, child := range a.children {
		if err := c.forget(child); err != nil {
			return err
		}
	}
	return nil
}

// fill stores v, and the parts of it that rules read, in their slots, which are empty.
func (c *Context) fill(a *attribute, v value) {
	if a.slot != noSlot {
		c.slots[a.slot] = v
	}
	switch {
	case v.kind == kindObject && len(a.children) > fewNames:
		c.fillMembers(a, v)
	case v.kind == kindObject:
		for name, child := range a.children {
			c.fill(child, v.member(name))
		}
	case v.kind == kindArray:
		for name, child := range a.children {
			c.fill(child, element(v, name))
		}
	}
}

// fillMembers is fill for many attributes below an object, looking at each of its members once. Slots of attributes that it does not have
// are empty.
func (c *Context) fillMembers(a *attribute, v value) {
	for i, name := range v.ref.names {
		if child := a.children[name]; child != nil {
			c.fill(child, v.ref.items[i])
		}
	}
}

// cover makes sure that c has what f reads, if f was compiled after c was decoded.
func (c *Context) cover(f *Flag) {
	if len(c.slots) < int(f.slots) && len(c.content) > 0 {
		c.decodeAgain(f.table.Load())
	}
}

// decodeAgain decodes the same context for a table that has grown since. It was checked when it was decoded before.
func (c *Context) decodeAgain(table *attributeTable) {
	clear(c.slots)
	c.unescaped, c.items, c.compounds, c.memberNames = c.unescaped[:0], c.items[:0], c.compounds[:0], c.memberNames[:0]
	c.pending, c.names = c.pending[:0], c.names[:0]
	c.root, c.rootFlag = value{}, nil
	c.makeSlots(table)
	c.at, c.forgotten = c.from, 0
	if !c.noObject && c.decodeTop(table) != nil {
		c.Reset()
	}
}

// begin prepares c for an evaluation of f at the time now.
func (c *Context) begin(f *Flag, now time.Time) {
	c.cover(f)
	c.now, c.clock, c.trace, c.flag, c.rootFlag = now.Unix(), clock{}, nil, nil, nil
	c.scratch, c.stack, c.scopes, c.left = c.scratch[:0], c.stack[:0], c.scopes[:0], int(f.allowance)
	c.limit = int(f.limit)
}
