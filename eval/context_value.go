package eval

// decodeRoot reads the content once more, as one value, for rules that read the context as a whole or compute the names of attributes.
// It was checked when the attributes were decoded. The last member is kept free for $flagd.
func (c *Context) decodeRoot() {
	members := &compound{}
	if !c.noObject && len(c.content) > 0 {
		c.at = c.from
		if v, err := c.decodeValue(0); err == nil {
			for i, name := range v.ref.names {
				if name != flagdProperties {
					members.names = append(members.names, name)
					members.items = append(members.items, v.ref.items[i])
				}
			}
		}
	}
	members.names = append(members.names, flagdProperties)
	members.items = append(members.items, value{})
	c.root = value{kind: kindObject, ref: members}
}

// decodeValue reads one value of any kind that stands below depth levels.
func (c *Context) decodeValue(depth int) (value, error) {
	switch b := c.peek(); b {
	case '"':
		s, err := c.scanString()
		return text(s), err
	case '{':
		return c.decodeMembers(depth + 1)
	case '[':
		return c.decodeElements(depth + 1)
	default:
		return c.scanScalar(b)
	}
}

func (c *Context) decodeElements(depth int) (value, error) {
	if depth > c.depthMax {
		return value{}, errContextDepth
	}
	first := len(c.pending)
	l := c.openList()
	for l.next(c) {
		var v value
		if v, l.err = c.decodeValue(depth); l.err == nil {
			c.pending = append(c.pending, v)
		}
	}
	parts := c.newCompound(first)
	return value{kind: kindArray, ref: parts}, l.err
}

func (c *Context) decodeMembers(depth int) (value, error) {
	if depth > c.depthMax {
		return value{}, errContextDepth
	}
	first := len(c.pending)
	o := c.openObject()
	for o.next(c) {
		earlier := -1
		if c.lenient {
			earlier = o.earlier(c)
		}
		var v value
		v, o.err = c.decodeValue(depth)
		switch {
		case o.err != nil:
		case earlier >= 0:
			c.pending[first+earlier] = v
			c.names = c.names[:len(c.names)-1]
		default:
			c.pending = append(c.pending, v)
		}
	}
	parts := c.newCompound(first)
	start := len(c.memberNames)
	c.memberNames = append(c.memberNames, c.names[o.first:]...)
	parts.names = c.memberNames[start:len(c.memberNames):len(c.memberNames)]
	return value{kind: kindObject, ref: parts}, o.close(c)
}

// newCompound moves the pending values from first on to where they stay.
func (c *Context) newCompound(first int) *compound {
	start := len(c.items)
	c.items = append(c.items, c.pending[first:]...)
	c.pending = c.pending[:first]
	c.compounds = append(c.compounds, compound{items: c.items[start:len(c.items):len(c.items)]})
	return &c.compounds[len(c.compounds)-1]
}
