package eval

import (
	"maps"
	"slices"

	"github.com/flagside/flagside/document"
)

// Update returns a Ruleset with the changes applied, and the problems of the changed documents and of those that depend on them; r is
// unchanged. The changes are applied together: their order does not matter, except that the last change of one document wins. The
// Ruleset keeps the bodies.
//
// A document that cannot be compiled keeps its last good version. If there never was one, a flag answers PARSE_ERROR and a segment
// counts as missing. Only changed documents and those that depend on them are compiled: a segment that every flag uses compiles all
// flags, and so does a change of the settings. The keys of the installation are no business of a Ruleset: they are left out.
func (r *Ruleset) Update(changes []document.Document) (*Ruleset, Problems) {
	if next, problems := r.taken(changes); next != nil {
		return next, problems
	}
	return r.compile(changes)
}

func (r *Ruleset) compile(changes []document.Document) (*Ruleset, Problems) {
	r.Finish()
	u := r.update()
	for _, d := range changes {
		u.collect(d)
	}
	u.applySettings()
	u.applySegments()
	u.compileFlags()
	u.link()
	return u.finish()
}

// update returns an update of r without changes.
func (r *Ruleset) update() *update {
	return &update{
		before:  r,
		parser:  new(parser),
		changes: make(map[document.Kind]map[string]document.Document),
		flags:   make(map[string]*Flag),
		report:  make(map[document.ID]Problems),
		next: &Ruleset{
			settings:      r.settings,
			compatibility: r.compatibility,
			segments:      r.segments,
			flags:         r.flags,
			generations:   r.generations,
			limit:         r.limit,
			generation:    r.generations.Add(1),
		},
		attributes: &attributeWriter{table: r.attributes},
	}
}

// update is one run of Ruleset.Update.
type update struct {
	before     *Ruleset
	next       *Ruleset
	attributes *attributeWriter
	parser     *parser
	changes    map[document.Kind]map[string]document.Document
	everything bool                     // the settings changed
	segments   map[string]struct{}      // names of the segments that changed
	flags      map[string]*Flag         // affected flags as they will be; nil if removed
	report     map[document.ID]Problems // of all documents that were looked at
	unknown    Problems                 // of documents of no known kind
	plans      map[string]*plan         // affected flags that still have to be linked
}

func (u *update) collect(d document.Document) {
	switch {
	case d.Kind == document.KindKeys:
		return
	case d.Kind == document.KindSettings && d.Key != document.SettingsKey:
		u.unknown = append(u.unknown, Problem{Kind: d.Kind, Key: d.Key, Reason: "the settings document must have the key " + document.SettingsKey})
		return
	case d.Kind != document.KindFlag && d.Kind != document.KindSegment && d.Kind != document.KindSettings:
		u.unknown = append(u.unknown, Problem{Kind: d.Kind, Key: d.Key, Reason: "there is no such kind of document"})
		return
	}
	if u.changes[d.Kind] == nil {
		u.changes[d.Kind] = make(map[string]document.Document)
	}
	u.changes[d.Kind][d.Key] = d
}

func (u *update) applySettings() {
	d, changed := u.changes[document.KindSettings][document.SettingsKey]
	if !changed {
		return
	}
	s, problems := readSettings(d)
	u.report[d.ID()] = problems
	if problems.Err() != nil {
		return
	}
	if s.compatibility == u.before.compatibility && slices.Equal(s.metadata, u.before.settings.metadata) {
		return
	}
	u.everything = true
	u.next.settings = s
	u.next.compatibility = s.compatibility
}

func (u *update) applySegments() {
	changes := u.changes[document.KindSegment]
	if len(changes) == 0 && !u.everything {
		return
	}
	su := &segmentUpdate{
		compatibility: u.next.compatibility,
		attributes:    u.attributes,
		limit:         u.next.limit,
		before:        u.before.segments,
		after:         maps.Clone(u.before.segments),
		waiting:       affectedSegments(u.before.segments, changes, u.everything),
		problems:      make(map[string]Problems),
	}
	if su.after == nil {
		su.after = make(map[string]*segment)
	}
	u.segments = make(map[string]struct{})
	for name := range su.waiting {
		u.segments[name] = struct{}{}
	}
	for name, d := range changes {
		if d.Body == nil {
			delete(su.after, name)
			u.segments[name] = struct{}{}
			u.report[d.ID()] = nil
		}
	}
	su.run()
	u.next.segments = su.after
	for name, problems := range su.problems {
		u.report[segmentID(name)] = problems
	}
}

// compileFlags compiles every affected flag from its newest document. Prerequisites are left to link.
func (u *update) compileFlags() {
	u.plans = make(map[string]*plan)
	for key, d := range u.changes[document.KindFlag] {
		if d.Body == nil {
			u.flags[key] = nil
			u.report[d.ID()] = nil
			continue
		}
		u.plans[key] = u.plan(d)
	}
	for _, f := range u.dependants() {
		u.plans[f.key] = u.plan(f.newest())
	}
}

// dependants returns the flags, other than the changed ones, that depend on something that changed, directly or not.
func (u *update) dependants() []*Flag {
	changed := u.changes[document.KindFlag]
	found := make(map[string]*Flag)
	add := func(f *Flag) bool {
		if _, again := changed[f.key]; again || found[f.key] != nil {
			return false
		}
		found[f.key] = f
		return true
	}
	if u.everything {
		u.before.flags.all(func(f *Flag) { add(f) })
		return slices.Collect(maps.Values(found))
	}
	var moved []document.ID
	for name := range u.segments {
		moved = append(moved, segmentID(name))
	}
	for key := range changed {
		moved = append(moved, flagID(key))
	}
	for len(moved) > 0 {
		id := moved[len(moved)-1]
		moved = moved[:len(moved)-1]
		for _, key := range u.before.dependants.of(id) {
			if add(u.before.flags.get(key)) {
				moved = append(moved, flagID(key))
			}
		}
	}
	return slices.Collect(maps.Values(found))
}

// finish assembles the new Ruleset.
func (u *update) finish() (*Ruleset, Problems) {
	u.next.attributes = u.attributes.table
	u.next.flags = u.before.flags.with(u.flags)
	u.next.dependants = u.before.dependants.with(u.before.flags, u.flags)
	u.next.troubled = u.collectTroubled()
	all := u.unknown
	for _, problems := range u.report {
		all = append(all, problems...)
	}
	all.sort()
	return u.next, all
}

func (u *update) collectTroubled() map[document.ID]Problems {
	troubled := maps.Clone(u.before.troubled)
	if troubled == nil {
		troubled = make(map[document.ID]Problems)
	}
	for id, problems := range u.report {
		delete(troubled, id)
		if fatal := problems.fatal(); len(fatal) > 0 {
			troubled[id] = fatal
		}
	}
	return troubled
}
