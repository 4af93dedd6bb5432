package eval

import "errors"

// errNotStrict says that a context is to be decoded strictly, and the ruleset is not strict.
var errNotStrict = errors.New("the environment decodes contexts as flagd does")

// noAttributes is the table of a flag that reads none.
var noAttributes = newAttributeTable()

// DecodeContextMember reads into c the evaluation context that stands in a member of the JSON object data, as DecodeContext does, and returns it as
// part of data: empty if there is no such member. One pass serves both objects. If f is not nil, c is for that flag alone: of a context that cannot
// change its answer it is only checked that it could be decoded.
//
// It does not retain data, and is strict: the rest of data is checked like the context, but for the depth of its nesting. It refuses more than
// decoding data and then the context does, everything with CompatibilityFlagd included. Errors wrap ErrInvalidContext and never contain data; after
// an error c is empty.
func (r *Ruleset) DecodeContextMember(c *Context, data []byte, name string, f *Flag) (context []byte, err error) {
	table := r.newestAttributes()
	if f != nil && f.ignoresContext() {
		table = noAttributes
	}
	return r.decodeContextMember(c, data, name, table)
}

// FindContextMember is DecodeContextMember for who decodes the context later, or not at all: it is only checked. c is working memory.
func (r *Ruleset) FindContextMember(c *Context, data []byte, name string) (context []byte, err error) {
	return r.decodeContextMember(c, data, name, noAttributes)
}

func (r *Ruleset) decodeContextMember(c *Context, data []byte, name string, table *attributeTable) (context []byte, err error) {
	c.Reset()
	if r.compatibility == CompatibilityFlagd {
		return nil, errors.Join(ErrInvalidContext, errNotStrict)
	}
	c.lenient, c.depthMax, c.forgotten = false, maxContextDepth, 0
	c.content, c.at = append(c.content, data...), 0
	c.makeSlots(table)
	begin, end, err := c.decodeMember(table, name)
	if err != nil {
		c.Reset()
		return nil, errors.Join(ErrInvalidContext, err)
	}
	c.noObject = c.noObject || begin == end
	c.from, c.content = begin, c.content[:end]
	return data[begin:end], nil
}

// ignoresContext reports whether every context gets the same answer, and no exposure tells who asked.
func (f *Flag) ignoresContext() bool {
	return f.rule == nil && len(f.prerequisites) == 0 && f.subject == 0
}

// decodeMember reads the content, which is an object, and decodes the member with the name. It returns where that stands.
func (c *Context) decodeMember(table *attributeTable, name string) (begin, end int, err error) {
	if c.peek() != '{' {
		return 0, 0, errNotObject
	}
	o := c.openObject()
	for o.next(c) {
		if o.name != name {
			o.err = c.skip(0)
			continue
		}
		c.peek()
		begin = c.at
		o.err = c.decodeTop(table)
		end = c.at
	}
	if err := o.close(c); err != nil {
		return 0, 0, err
	}
	if c.peek() != endOfContent {
		return 0, 0, errTrailing
	}
	return begin, end, nil
}
