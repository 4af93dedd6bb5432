package eval

// Exposures reports whether the document asks that it is reported who was given which variant.
func (f *Flag) Exposures() bool { return f.subject != 0 }

// Subject returns the targeting key of the context that a flag was evaluated in, empty if there is none, it is no string, or the flag asks for no
// exposures. The context must have been decoded for the ruleset of the flag or a later one. The text is valid until the context is used again.
func (f *Flag) Subject(c *Context) string {
	if f.subject == 0 {
		return ""
	}
	c.cover(f)
	key := c.slot(int(f.subject) - 1)
	if key.kind != kindString {
		return ""
	}
	return key.str
}
