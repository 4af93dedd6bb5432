package eval

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/flagside/flagside/document"
)

// segment is one compiled segment: a rule that flags refer to with $ref.
type segment struct {
	document document.Document
	rule     *syntax // nil if no version could ever be compiled
	plain    []byte  // the body without its owner; nil if it has none
	node     node
	work     work               // of node
	size     int                // how many expressions the rule has, those of other segments as often as they are used
	segments []string           // names of the segments that it, or its rejected document, refers to, direct or not
	rejected *document.Document // the newest document, if it could not be compiled
	cycle    string             // set in place of all else if the segment refers to itself: how
}

// used returns the node of a reference to the segment, whose rule was compiled for the place of the reference.
func (s *segment) used(rule node, w work) node {
	if _, ok := isConstant(rule); ok {
		return rule
	}
	return &useSegment{name: s.document.Key, revision: s.document.Revision, rule: rule, priced: w.plus(nodes(1))}
}

// useSegment is {"$ref": name}. Outside iterations all flags share the rule.
type useSegment struct {
	name     string
	revision uint64
	rule     node
	priced   work // of the whole
}

func (n *useSegment) eval(c *Context) value { return n.rule.eval(c) }

// newest returns the document that the next compilation has to read.
func (s *segment) newest() document.Document {
	if s.rejected != nil {
		return *s.rejected
	}
	return s.document
}

// segmentUpdate compiles the segments that an update affects, each after the ones that it refers to.
type segmentUpdate struct {
	compatibility Compatibility
	attributes    *attributeWriter
	limit         int
	before        map[string]*segment
	after         map[string]*segment
	waiting       map[string]document.Document // documents that are not compiled yet
	path          []string                     // the segments that are being compiled
	problems      map[string]Problems          // by name
}

// run compiles all waiting documents.
func (u *segmentUpdate) run() {
	for _, name := range slices.Sorted(maps.Keys(u.waiting)) {
		u.ready(name)
	}
}

// ready returns a segment, compiling it first if need be; nil if there is none or if it is being compiled, which is a cycle.
func (u *segmentUpdate) ready(name string) *segment {
	document, waits := u.waiting[name]
	if !waits {
		return u.after[name]
	}
	if slices.Contains(u.path, name) {
		return nil
	}
	u.path = append(u.path, name)
	u.compile(name, document)
	u.path = u.path[:len(u.path)-1]
	delete(u.waiting, name)
	return u.after[name]
}

func (u *segmentUpdate) compile(name string, document document.Document) {
	next, problems := u.compiled(document)
	u.problems[name] = problems
	if problems.Err() == nil {
		u.after[name] = next
		return
	}
	kept := &segment{}
	if old := u.before[name]; old != nil {
		*kept = *old
	}
	kept.rejected = &document
	if next != nil {
		kept.segments = compact(slices.Concat(kept.segments, next.segments))
	}
	u.after[name] = kept
}

func (u *segmentUpdate) compiled(d document.Document) (*segment, Problems) {
	p, problem := parseDocument(d)
	if p == nil {
		return nil, Problems{*problem}
	}
	var problems Problems
	report := reporter(d, p, &problems)
	reportMistakes(p, u.compatibility, report)
	c := &ruleCompiler{compatibility: u.compatibility, attributes: u.attributes, limit: u.limit, report: report}
	c.segment = func(name string) *segment {
		if i := slices.Index(u.path, name); i >= 0 {
			return &segment{cycle: strings.Join(append(slices.Clone(u.path[i:]), name), " -> ")}
		}
		return u.ready(name)
	}
	next := &segment{document: d, rule: &p.root}
	if plain := unmarked(&p.root); plain != &p.root {
		p.root = *plain // in its place, where problems are looked for
		next.plain = append(appendString([]byte{'{'}, plain.names[0]), ':')
		next.plain = append(append(next.plain, plain.items[0].raw(p.source)...), '}')
	}
	next.node = c.compileRule(&p.root)
	next.work = workOf(next.node)
	next.size, next.segments = c.size, compact(c.segments)
	return next, problems
}

// unmarked returns the rule of a segment without the name of the source that owns it.
func unmarked(rule *syntax) *syntax {
	i := slices.Index(rule.names, document.SourceMember)
	if i < 0 || len(rule.names) != 2 {
		return rule
	}
	plain := *rule
	plain.names, plain.items = rule.names[1-i:2-i], rule.items[1-i:2-i]
	return &plain
}

// compact returns names in order and without repetitions.
func compact(names []string) []string {
	slices.Sort(names)
	return slices.Clip(slices.Compact(names))
}

// affectedSegments returns the documents to compile after some have changed: those, and all that refer to them.
func affectedSegments(before map[string]*segment, changes map[string]document.Document, all bool) map[string]document.Document {
	waiting := make(map[string]document.Document)
	for name, s := range before {
		document := s.newest()
		again := all || slices.ContainsFunc(s.segments, func(used string) bool {
			_, changed := changes[used]
			return changed
		})
		if _, changed := changes[name]; again && !changed {
			waiting[name] = document
		}
	}
	for name, document := range changes {
		if document.Body != nil {
			waiting[name] = document
		}
	}
	return waiting
}

// noSegment is the reason why a reference leads nowhere.
func noSegment(name string) string { return "the segment " + strconv.Quote(name) + " does not exist" }
