package eval

import (
	"strconv"
	"strings"
)

// definition is a flag document that was read and checked, before its rule is compiled.
type definition struct {
	enabled        bool // false also of what is no flag at all
	disabled       bool
	variants       *variantList
	defaultVariant *Variant
	targeting      *syntax // nil if there is none
	metadata       []member

	prerequisites []prerequisiteReference
	offVariant    *Variant
	salt          string // empty: the flag's key
	demands       demands
	labels        labels
	description   *syntax // nil if there is none
	exposures     bool
}

// prerequisiteReference is one element of prerequisites, and where it stands.
type prerequisiteReference struct {
	Prerequisite
	at *syntax
}

// member is one member of metadata; raw is its value as JSON.
type member struct {
	name string
	raw  string
	text string // the contents if the value is a string
}

// definitionReader reads one flag document.
type definitionReader struct {
	compatibility Compatibility
	source        []byte
	report        func(at *syntax, p Problem)
	parser        *parser // shares what is equal in many documents
	problems      int     // how many were found
	into          *definition
}

func (r *definitionReader) lenient() bool { return r.compatibility == CompatibilityFlagd }

// problem reports what flagd only warns of.
func (r *definitionReader) problem(at *syntax, reason, hint string) {
	r.problems++
	r.report(at, Problem{Reason: reason, Hint: hint, Warning: r.lenient()})
}

// fatal reports what flagd refuses too.
func (r *definitionReader) fatal(at *syntax, reason, hint string) {
	r.problems++
	r.report(at, Problem{Reason: reason, Hint: hint})
}

// read reads the flag object. The variants and the metadata come first, because other members refer to them.
func (r *definitionReader) read(root *syntax) *definition {
	r.into = &definition{
		demands:  noDemands(),
		variants: new(variantList),
	}
	if root.kind == kindNull && r.lenient() {
		r.problem(root, "the flag is null", "remove it")
		return r.into
	}
	if root.kind != kindObject {
		r.fatal(root, "a flag must be an object", "write {\"state\": \"ENABLED\", \"variants\": {...}}")
		r.into.labels.mistyped = true
		return r.into
	}
	r.readVariants(root, r.field(root, "variants"))
	r.readState(root, r.field(root, "state"))
	for i, name := range root.names {
		r.readMember(r.canonical(name), name, &root.items[i])
	}
	r.into.enabled = !r.into.disabled
	r.into.labels, r.into.description = readLabels(root, r.compatibility), root.member("description")
	return r.into
}

// field returns a member of the flag object, or nil. flagd ignores the case of the names of its own members.
func (r *definitionReader) field(root *syntax, name string) *syntax {
	for i := len(root.names) - 1; i >= 0; i-- {
		if r.canonical(root.names[i]) == name {
			return &root.items[i]
		}
	}
	return nil
}

// canonical returns the spelling of a member that this package knows.
func (r *definitionReader) canonical(name string) string {
	if !r.lenient() {
		return name
	}
	for _, known := range []string{"state", "variants", "defaultVariant", "targeting", "metadata"} {
		if strings.EqualFold(name, known) {
			return known
		}
	}
	return name
}

func (r *definitionReader) readMember(name, spelled string, s *syntax) {
	switch name {
	case "state", "variants":
	case "defaultVariant":
		r.readDefault(s)
	case "targeting":
		r.readTargeting(s)
	case "metadata":
		r.into.metadata = readMetadata(s, r.compatibility, r.source, r.report)
	default:
		r.readOwn(name, spelled, s)
	}
}

func (r *definitionReader) readState(root, s *syntax) {
	switch {
	case s == nil:
		r.problem(root, "state is missing", "write \"state\": \"ENABLED\" or \"DISABLED\"")
	case s.kind == kindString && s.text == "DISABLED":
		r.into.disabled = true
	case s.kind == kindString && s.text == "ENABLED":
	case s.kind == kindString, s.kind == kindNull:
		r.problem(s, "state must be \"ENABLED\" or \"DISABLED\"", "")
	default:
		r.fatal(s, "state must be a string", "write \"ENABLED\" or \"DISABLED\"")
	}
}

func (r *definitionReader) readVariants(root, s *syntax) {
	switch {
	case s == nil || s.kind == kindNull:
		if s == nil {
			s = root
		}
		r.problem(s, "variants are missing", "write \"variants\": {\"on\": true, \"off\": false}")
		return
	case s.kind != kindObject:
		r.fatal(s, "variants must be an object", "write {\"on\": true, \"off\": false}")
		return
	case len(s.items) == 0:
		r.problem(s, "a flag needs at least one variant", "write {\"on\": true, \"off\": false}")
	}
	text := s.raw(r.source)
	if known := r.parser.variants[string(text)]; known != nil {
		r.into.variants = known
		return
	}
	found := r.problems
	for i, name := range s.names {
		item := &s.items[i]
		if name == "" {
			r.problem(item, "a variant needs a name", "")
		}
		r.checkType(&s.items[0], item)
		r.addVariant(name, item)
	}
	r.into.variants.order()
	if r.problems == found && len(r.into.variants.given) == len(s.names) {
		r.parser.shareVariants(text, r.into.variants)
	}
}

// checkType holds the variants of a flag to one of the four types.
func (r *definitionReader) checkType(first, item *syntax) {
	switch {
	case item.kind == kindNull || item.kind == kindArray:
		r.problem(item, "a variant must be a boolean, string, number or object", "")
	case item.kind != first.kind && first.kind != kindNull && first.kind != kindArray:
		r.problem(item, "all variants of a flag must have one type, this one differs from the first", "")
	}
}

func (r *definitionReader) addVariant(name string, item *syntax) {
	v := &Variant{
		name:        name,
		nameEncoded: appendString(nil, name),
		encoded:     encodeValue(item, r.source, r.compatibility),
		null:        item.kind == kindNull,
	}
	r.into.variants.add(v)
}

func (r *definitionReader) readDefault(s *syntax) {
	switch {
	case s.kind == kindNull || s.kind == kindString && s.text == "":
	case s.kind != kindString:
		r.fatal(s, "defaultVariant must be the name of a variant", "leave it out, or write null, to let the caller decide")
	case r.into.variants.ordered.named(s.text) == nil:
		r.fatal(s, "the variant "+strconv.Quote(s.text)+" does not exist", r.variantHint())
	default:
		r.into.defaultVariant = r.into.variants.ordered.named(s.text)
	}
}

func (r *definitionReader) variantHint() string {
	names := make([]string, len(r.into.variants.given))
	for i, v := range r.into.variants.given {
		names[i] = v.name
	}
	return "the variants are " + strings.Join(names, ", ")
}

// readTargeting takes the rule. An empty object is no rule.
func (r *definitionReader) readTargeting(s *syntax) {
	if s.kind == kindObject && len(s.items) == 0 {
		return
	}
	if s.kind != kindObject {
		r.report(s, Problem{Reason: "targeting should be an operation", Hint: "write {\"if\": [...]}, or leave it out", Warning: true})
	}
	r.into.targeting = s
}
