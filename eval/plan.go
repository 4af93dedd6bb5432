package eval

import (
	"slices"

	"github.com/flagside/flagside/document"
)

// plan is a flag document on its way to becoming a Flag.
type plan struct {
	document   document.Document
	candidate  *Flag // nil if the document could not even be read
	references []prerequisiteReference
	metadata   []member
	uses       []document.ID
	report     func(at *syntax, p Problem)
	problems   Problems
	entered    bool // link is working on it, or has finished it
}

// newest returns the document that the next compilation has to read.
func (f *Flag) newest() document.Document {
	if f.rejected != nil {
		return f.rejected.document
	}
	return document.Document{Kind: document.KindFlag, Key: f.key, Revision: f.revision, Body: f.document}
}

// plan reads a flag document and compiles its rule. What concerns other flags is left to link.
func (u *update) plan(d document.Document) *plan {
	p := &plan{document: d}
	src, problem := u.parser.document(d)
	if src == nil {
		p.problems = Problems{*problem}
		return p
	}
	p.report = reporter(d, src, &p.problems)
	reportMistakes(src, u.next.compatibility, p.report)
	reader := &definitionReader{compatibility: u.next.compatibility, source: src.source, report: p.report, parser: u.parser}
	definition := reader.read(&src.root)
	p.references = definition.prerequisites
	p.metadata = answerMetadata(u.next.settings.metadata, definition.metadata, d.Revision, u.next.compatibility)
	p.candidate = u.candidate(d, definition, p)
	if len(p.references) == 0 {
		p.report = nil // link has nothing to report, and the syntax need not be kept until then
	}
	return p
}

// candidate compiles the flag that a definition means.
func (u *update) candidate(d document.Document, definition *definition, p *plan) *Flag {
	f := &Flag{
		key:            d.Key,
		revision:       d.Revision,
		document:       d.Body,
		declared:       u.parser.declared(definition),
		enabled:        definition.enabled,
		urgent:         definition.labels.kind == kindOps,
		metadata:       encodeMetadata(p.metadata),
		generation:     u.next.generations.Add(1),
		own:            definition.demands,
		closure:        definition.demands,
		salt:           definition.salt,
		variants:       definition.variants.ordered,
		defaultVariant: definition.defaultVariant,
		offVariant:     definition.offVariant,
		compatibility:  u.next.compatibility,
		failures:       u.failuresOf(d.Key),
	}
	if f.salt == "" {
		f.salt = d.Key
	}
	if id, ok := findMember(p.metadata, "flagSetId"); ok {
		f.setID = id.text
	}
	if definition.exposures {
		f.subject = int32(u.attributes.slot([]string{"targetingKey"})) + 1 // #nosec G115 -- far fewer
	}
	if definition.targeting != nil {
		u.compileRule(f, definition.targeting, p)
	}
	for _, reference := range p.references {
		p.uses = append(p.uses, flagID(reference.Flag))
	}
	p.uses = compactIDs(p.uses)
	f.uses = p.uses
	if definition.disabled {
		f.rule = nil
		p.references = nil
		f.settled = Result{Flag: f, Reason: ReasonDisabled, Metadata: f.metadata}
	}
	return f
}

func (u *update) compileRule(f *Flag, rule *syntax, p *plan) {
	c := &ruleCompiler{
		compatibility: u.next.compatibility,
		attributes:    u.attributes,
		limit:         u.next.limit,
		report:        p.report,
		segment:       func(name string) *segment { return u.next.segments[name] },
	}
	f.rule = c.compileRule(rule)
	if whole, ok := f.rule.(*conditional); ok {
		whole.outermost = true
	}
	u.checkOutcomes(f, rule, p)
	for _, name := range c.segments {
		p.uses = append(p.uses, segmentID(name))
	}
}

// fallback returns what stands in for a document that cannot be used: the last good version, or else a flag that answers errors.
func (u *update) fallback(p *plan) *Flag {
	d := p.document
	kept := &Flag{
		key:           d.Key,
		revision:      d.Revision,
		document:      d.Body,
		own:           noDemands(),
		closure:       noDemands(),
		compatibility: u.next.compatibility,
		broken:        true,
		failures:      u.failuresOf(d.Key),
		cost:          1,
	}
	if old := u.before.flags.get(d.Key); old != nil && !old.broken {
		*kept = *old
		u.relink(kept)
	} else {
		kept.declare(p.candidate)
		kept.metadata = encodeMetadata(answerMetadata(u.next.settings.metadata, nil, d.Revision, u.next.compatibility))
		kept.settled = kept.failed(ErrorParse, "the document of the flag cannot be used: "+p.reason())
	}
	kept.bound(u.next.limit, kept.sum())
	kept.generation = u.next.generations.Add(1)
	kept.rejected = &rejected{document: d, requires: compactIDs(slices.Concat(kept.uses, p.uses))}
	return kept
}

// declare lets a flag that answers errors tell what its document says, as far as that could be read.
func (f *Flag) declare(read *Flag) {
	if read == nil {
		f.declared, f.salt = declaration{labels: &labels{mistyped: true}}, f.key
		return
	}
	f.declared, f.enabled, f.salt = read.declared, read.enabled, read.salt
	f.variants, f.defaultVariant, f.offVariant = read.variants, read.defaultVariant, read.offVariant
}

// reason returns the first problem that is not a warning.
func (p *plan) reason() string {
	for _, problem := range p.problems {
		if !problem.Warning {
			return problem.Reason
		}
	}
	return ""
}
