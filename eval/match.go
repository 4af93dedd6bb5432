package eval

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"
)

// match finds the variant that a rule's result names: a string names it as it is; booleans, numbers, arrays and objects by their JSON
// text without its quotes. The variant is nil if there is none; ok is false if v has no JSON text.
func (f *Flag) match(c *Context, v value) (variant *Variant, ok bool) {
	if v.kind == kindString {
		return f.matchText(c, v.str), true
	}
	if v.ref != nil && !c.spendValue(v) {
		return nil, true
	}
	if v.kind != kindBool && !finite(v) {
		return nil, false
	}
	start := len(c.scratch)
	c.scratch = appendValue(c.scratch, v)
	if v.kind == kindArray || v.kind == kindObject {
		return f.variants.named(alias(flagdName(c.scratch[start:]))), true
	}
	return f.variants.named(alias(c.scratch[start:])), true
}

// matchText finds a variant by name. flagd looks for the name as it is spelled in JSON, without quotes; this package looks for that
// only when no variant has the name itself, unless it has to answer as flagd does.
func (f *Flag) matchText(c *Context, name string) *Variant {
	if len(name) >= longText && !c.spendText(4*len(name)) {
		return nil
	}
	if f.compatibility != CompatibilityFlagd {
		if v := f.variants.named(name); v != nil {
			return v
		}
	}
	if plain(name) {
		return f.variants.named(name)
	}
	start := len(c.scratch)
	c.scratch = appendString(c.scratch, name)
	return f.variants.named(alias(flagdName(c.scratch[start:])))
}

// plain reports whether the JSON spelling of s is s in quotes.
func plain(s string) bool {
	for i := range len(s) {
		switch b := s[i]; {
		case b < ' ', b >= 0x7f, b == '"', b == '\\', b == '<', b == '>', b == '&':
			return false
		}
	}
	return true
}

// flagdName returns JSON text the way flagd turns it into the name of a variant: escaped for HTML, and without any quotes.
func flagdName(encoded []byte) []byte {
	spelled, err := jsontext.AppendFormat(nil, encoded, jsontext.EscapeForHTML(true), jsontext.EscapeForJS(true), jsontext.AllowInvalidUTF8(true))
	if err != nil {
		spelled = encoded
	}
	return bytes.ReplaceAll(spelled, []byte{'"'}, nil)
}
