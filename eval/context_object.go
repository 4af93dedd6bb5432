package eval

// openObject reads the members of an object of which the opening brace comes next: call next until it is false, read one value after
// each, and close.
type openObject struct {
	name string // of the member whose value comes next
	bit  uint8  // of the name, see filterBit
	err  error  // set it to stop

	first  int // where the names of the object begin in Context.names
	begun  bool
	filter nameFilter
	many   map[string]int
}

func (c *Context) openObject() openObject {
	c.at++
	return openObject{first: len(c.names)}
}

// next reads the name of the next member. It is false after the last one and after an error. Strictly, a name that occurs twice is an
// error.
func (o *openObject) next(c *Context) bool {
	if o.err != nil {
		return false
	}
	b := c.peek()
	if b == '}' {
		c.at++
		return false
	}
	if o.begun {
		if b != ',' {
			o.err = errSyntax
			return false
		}
		c.at++
		b = c.peek()
	}
	o.begun = true
	if o.err = o.readName(c, b); o.err != nil {
		return false
	}
	c.names = append(c.names, o.name)
	if !c.lenient && o.earlier(c) >= 0 {
		o.err = errSyntax
	}
	return o.err == nil
}

func (o *openObject) readName(c *Context, first byte) (err error) {
	if first != '"' {
		return errSyntax
	}
	if o.name, err = c.scanString(); err != nil {
		return err
	}
	if c.peek() != ':' {
		return errSyntax
	}
	c.at++
	o.bit = filterBit(o.name)
	return nil
}

// close forgets the names of the object and returns the error that stopped it, if any.
func (o *openObject) close(c *Context) error {
	c.names = c.names[:o.first]
	return o.err
}

// manyNames is how many names are searched one after the other; beyond that a map spares the square of a large number.
const manyNames = 64

// earlier returns the place of the first member with the name of the newest, or -1 if the name is new.
func (o *openObject) earlier(c *Context) int {
	names := c.names[o.first:]
	last := len(names) - 1
	if last >= manyNames {
		return o.amongMany(names)
	}
	if !o.filter.has(o.bit) {
		o.filter.add(o.bit)
		return -1
	}
	for i := range names[:last] {
		if names[i] == o.name {
			return i
		}
	}
	return -1
}

// nameFilter says of most names that are not in a set that they are not. The zero value is that of an empty set.
type nameFilter [4]uint64

func (f *nameFilter) has(bit uint8) bool { return f[bit/64]&(1<<(bit%64)) != 0 }

func (f *nameFilter) add(bit uint8) { f[bit/64] |= 1 << (bit % 64) }

// filterBit maps a name to one of 256 bits, cheaply and so that short names that differ at their ends rarely share one.
func filterBit(name string) uint8 {
	n := len(name)
	if n == 0 {
		return 0
	}
	h := uint64(n) ^ uint64(name[0])<<8 ^ uint64(name[n/2])<<16 ^ uint64(name[n-1])<<24 ^ uint64(name[max(n-2, 0)])<<32
	return uint8(h * 0x9e3779b97f4a7c15 >> 56)
}

func (o *openObject) amongMany(names []string) int {
	last := len(names) - 1
	if o.many == nil {
		o.many = make(map[string]int)
		for i, name := range names[:last] {
			o.many[name] = i
		}
	}
	if i, found := o.many[o.name]; found {
		return i
	}
	o.many[o.name] = last
	return -1
}

// openList reads the elements of an array like openObject the members of an object.
type openList struct {
	err   error // set it to stop
	begun bool
}

func (c *Context) openList() openList {
	c.at++
	return openList{}
}

// next reports whether there is another element. It is false after an error.
func (l *openList) next(c *Context) bool {
	if l.err != nil {
		return false
	}
	switch b := c.peek(); {
	case !l.begun && b != ']':
		l.begun = true
		return true
	case b == ']':
		c.at++
		return false
	case b != ',':
		l.err = errSyntax
		return false
	}
	c.at++
	return true
}
