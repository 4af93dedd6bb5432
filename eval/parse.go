package eval

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/flagside/flagside/document"
)

// ParseFile splits a flagd file into documents: the settings document first (if the file has metadata or c is not empty), then the
// members of $evaluators as segments in dependency order, then the flags in key order. All revisions are 0.
//
// Every file that flagd's own JSON schema accepts is accepted, but for mistakes that make a rule useless: see docs/compatibility.md.
// All problems are reported at once, each with its line and column; the documents are complete if Problems.Err returns nil.
func ParseFile(data []byte, c Compatibility) ([]document.Document, Problems) {
	return New().ParseFile(data, c)
}

// ParseFile is the function ParseFile for the limits of r, to whose documents the file may refer.
func (r *Ruleset) ParseFile(data []byte, c Compatibility) ([]document.Document, Problems) {
	documents, _, problems := r.ParseFiles([][]byte{data}, c)
	return documents, problems[0]
}

// ParseFiles is ParseFile for files that are read as one: each may refer to what the others define. A flag, a segment and the metadata stand in
// one of them only. It also returns the file that each document stands in, and as
// many problems as there are files, each list those of the file in its place.
func (r *Ruleset) ParseFiles(files [][]byte, c Compatibility) ([]document.Document, map[document.ID]int, []Problems) {
	all := &fileSet{whole: newFile(c), from: make(map[document.ID]int)}
	problems := make([]Problems, len(files))
	complete := true
	for i, data := range files {
		p, err := parseSyntax(data, c == CompatibilityFlagd)
		if err != nil {
			problems[i], complete = Problems{syntaxProblem(data, err)}, false
			all.files = append(all.files, nil)
			continue
		}
		f := newFile(c)
		f.source, f.lines = p, newLines(data)
		f.split()
		all.add(f)
	}
	documents := all.whole.documents()
	found := make([]Problems, len(files))
	if complete { // otherwise much would be missing that is in what could not be read
		_, ps := r.Update(documents)
		for _, p := range ps {
			if i, ok := all.from[p.ID()]; ok { // not what only depends on the files
				found[i] = append(found[i], p)
			}
		}
	}
	for i, f := range all.files {
		if f != nil {
			f.locate(found[i])
			problems[i] = append(found[i], f.problems...)
			problems[i].sort()
		}
	}
	return documents, all.from, problems
}

// fileSet is several files that become the documents of one environment.
type fileSet struct {
	files []*file // nil for what is no JSON
	whole *file
	from  map[document.ID]int // the file that a document stands in
}

// add adds the documents of the next file, and reports those that a file before it has.
func (s *fileSet) add(f *file) {
	s.files = append(s.files, f)
	take := func(d document.Document) bool {
		id := d.ID()
		if _, again := s.from[id]; again {
			p := Problem{Kind: d.Kind, Key: d.Key, Reason: "another file has this, too", Hint: "keep it in one of them"}
			if d.Kind == document.KindSettings {
				p = Problem{Reason: "another file has metadata, too", Hint: "keep it in one of them"}
			}
			f.report(f.at[id], p)
			return false
		}
		s.from[id], s.whole.at[id] = len(s.files)-1, f.at[id]
		return true
	}
	for _, d := range f.settings {
		if old := s.whole.settings; old != nil && (f.member("metadata") == nil || s.files[s.from[d.ID()]].member("metadata") == nil) {
			if f.member("metadata") == nil { // nothing but the compatibility, which all have
				continue
			}
			delete(s.from, d.ID())
		}
		if take(d) {
			s.whole.settings = []document.Document{d}
		}
	}
	for name, d := range f.segments {
		if take(d) {
			s.whole.segments[name] = d
		}
	}
	for key, d := range f.flags {
		if take(d) {
			s.whole.flags[key] = d
		}
	}
}

// file is a flagd file on its way to becoming documents.
type file struct {
	source        *parsed
	lines         lines
	compatibility Compatibility
	settings      []document.Document
	segments      map[string]document.Document
	flags         map[string]document.Document
	at            map[document.ID]*syntax // where a document stands
	problems      Problems
}

func newFile(c Compatibility) *file {
	return &file{
		compatibility: c, at: make(map[document.ID]*syntax),
		segments: make(map[string]document.Document), flags: make(map[string]document.Document),
	}
}

// syntaxProblem returns the one problem of a file that is not JSON.
func syntaxProblem(data []byte, err error) Problem {
	if p, ok := CheckEncoding(data); !ok {
		return p
	}
	problem := Problem{Reason: syntaxReason(err)}
	offset := len(data)
	if s, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		offset = int(s.ByteOffset)
		problem.Pointer = string(s.JSONPointer)
	}
	problem.Line, problem.Column = newLines(data).position(offset)
	return problem
}

// lines holds the offsets at which the lines of a text begin.
type lines []int

func newLines(data []byte) lines {
	starts := lines{0}
	for i, b := range data {
		if b == '\n' {
			starts = append(starts, i+1)
		}
	}
	return starts
}

// position returns the 1-based line and column of an offset. Columns count bytes.
func (l lines) position(offset int) (line, column int) {
	i, found := slices.BinarySearch(l, offset)
	if !found {
		i--
	}
	return i + 1, offset - l[i] + 1
}

// report adds a problem of the file itself.
func (f *file) report(at *syntax, p Problem) {
	p.Line, p.Column = f.lines.position(at.start)
	f.problems = append(f.problems, p)
}

func (f *file) split() {
	root := &f.source.root
	reportMistakes(f.source, f.compatibility, f.reportMistake)
	if root.kind != kindObject {
		f.report(root, Problem{Reason: "a flag file must be an object", Hint: "write {\"flags\": {...}}"})
		return
	}
	f.splitSettings(root)
	f.splitSegments(f.member("$evaluators"))
	f.splitFlags(root)
}

// member returns a member of the file, or nil. flagd ignores the case of their names.
func (f *file) member(name string) *syntax {
	root := &f.source.root
	if s := root.member(name); s != nil || f.compatibility != CompatibilityFlagd {
		return s
	}
	for i := range root.names {
		if strings.EqualFold(root.names[i], name) {
			return &root.items[i]
		}
	}
	return nil
}

// none reports whether a member counts as empty, which null does in flagd.
func (f *file) none(s *syntax) bool {
	return s == nil || s.kind == kindNull && f.compatibility == CompatibilityFlagd
}

// reportMistake reports what the parsers of the documents may not see any more.
func (f *file) reportMistake(at *syntax, p Problem) {
	if len(f.problems) >= maxProblems {
		return
	}
	p.Pointer, _ = f.source.root.pointer(at)
	f.report(at, p)
}

func (f *file) splitSettings(root *syntax) {
	metadata := f.member("metadata")
	if metadata == nil && f.compatibility == "" {
		return
	}
	body := []byte{'{'}
	if metadata != nil {
		body = append(append(body, `"metadata":`...), f.compact(metadata)...)
	}
	if f.compatibility != "" {
		if metadata != nil {
			body = append(body, ',')
		}
		body = append(append(body, `"compatibility":`...), appendString(nil, string(f.compatibility))...)
	}
	f.settings = []document.Document{{Kind: document.KindSettings, Key: document.SettingsKey, Body: append(body, '}')}}
	f.at[f.settings[0].ID()] = root
}

func (f *file) splitSegments(evaluators *syntax) {
	if f.none(evaluators) {
		return
	}
	if evaluators.kind != kindObject {
		f.report(evaluators, Problem{Reason: "$evaluators must be an object", Hint: "write {\"name\": {...}}"})
		return
	}
	for i, name := range evaluators.names {
		item := &evaluators.items[i]
		if f.compatibility == CompatibilityFlagd && item.end-item.start < 3 {
			f.report(item, Problem{Kind: document.KindSegment, Key: name, Reason: "the segment is empty", Hint: "flagd refuses the file"})
		}
		f.segments[name] = document.Document{Kind: document.KindSegment, Key: name, Body: f.compact(item)}
		f.at[segmentID(name)] = item
	}
}

func (f *file) splitFlags(root *syntax) {
	flags := f.member("flags")
	switch {
	case flags == nil:
		f.report(root, Problem{Reason: "flags are missing", Hint: "write {\"flags\": {...}}"})
	case f.none(flags):
	case flags.kind == kindObject:
		for i, name := range flags.names {
			f.addFlag(name, &flags.items[i], f.compact(&flags.items[i]))
		}
	case flags.kind == kindArray:
		for i := range flags.items {
			f.addListed(&flags.items[i])
		}
	default:
		f.report(flags, Problem{Reason: "flags must be an object or a list", Hint: "write {\"key\": {...}}"})
	}
}

// addListed adds a flag of the list form, which carries its key inside.
func (f *file) addListed(item *syntax) {
	key := item.member("key")
	if f.compatibility == CompatibilityFlagd && item.kind == kindObject && key == nil {
		f.addFlag("", item, f.compact(item))
		return
	}
	if item.kind != kindObject || key == nil || key.kind != kindString {
		f.report(item, Problem{Reason: "a flag in a list needs a key", Hint: "write {\"key\": \"name\", ...}"})
		return
	}
	if _, again := f.flags[key.text]; again {
		f.report(key, Problem{
			Kind: document.KindFlag, Key: key.text,
			Reason:  "this key is used twice",
			Hint:    "a key is unique, whatever its flagSetId",
			Warning: f.compatibility == CompatibilityFlagd,
		})
	}
	f.addFlag(key.text, item, f.withoutKey(item))
}

func (f *file) addFlag(key string, item *syntax, body []byte) {
	if key == "" {
		f.report(item, Problem{Kind: document.KindFlag, Reason: "a flag needs a key", Warning: f.compatibility == CompatibilityFlagd})
	}
	f.flags[key] = document.Document{Kind: document.KindFlag, Key: key, Body: body}
	f.at[flagID(key)] = item
}

// compact returns the text of s without white space. Numbers and strings keep their spelling.
func (f *file) compact(s *syntax) []byte {
	raw := jsontext.Value(slices.Clone(s.raw(f.source.source)))
	if err := raw.Compact(jsontext.AllowInvalidUTF8(true)); err != nil {
		return s.raw(f.source.source)
	}
	return raw
}

// withoutKey returns the text of a flag in a list without its key.
func (f *file) withoutKey(item *syntax) []byte {
	body := []byte{'{'}
	for i, name := range item.names {
		if name == "key" {
			continue
		}
		if len(body) > 1 {
			body = append(body, ',')
		}
		body = append(appendString(body, name), ':')
		body = append(body, f.compact(&item.items[i])...)
	}
	return append(body, '}')
}

func (f *file) documents() []document.Document {
	documents := slices.Concat(f.settings, f.orderedSegments())
	for _, key := range slices.Sorted(maps.Keys(f.flags)) {
		documents = append(documents, f.flags[key])
	}
	return documents
}

// orderedSegments returns the segments so that each stands after those that it refers to, and otherwise in name order.
func (f *file) orderedSegments() []document.Document {
	var ordered []document.Document
	done := make(map[string]bool)
	var add func(name string)
	add = func(name string) {
		doc, ok := f.segments[name]
		if !ok || done[name] {
			return
		}
		done[name] = true
		for _, used := range references(unmarked(f.at[segmentID(name)])) {
			add(used)
		}
		ordered = append(ordered, doc)
	}
	for _, name := range slices.Sorted(maps.Keys(f.segments)) {
		add(name)
	}
	return ordered
}

// references returns the names in all {"$ref": name} of a rule, in order.
func references(s *syntax) []string {
	var names []string
	if name, target, ok := s.operator(); ok && name == "$ref" && target.kind == kindString {
		names = append(names, target.text)
	}
	for i := range s.items {
		names = append(names, references(&s.items[i])...)
	}
	return compact(names)
}

// locate gives problems of documents their place in the file.
func (f *file) locate(problems Problems) {
	for i := range problems {
		p := &problems[i]
		at := f.at[p.ID()]
		if at == nil {
			continue
		}
		p.Line, p.Column = f.lines.position(at.find(p.Pointer).start)
	}
	f.problems = slices.DeleteFunc(f.problems, func(own Problem) bool {
		return slices.ContainsFunc(problems, func(p Problem) bool { return samePlace(own, p) })
	})
}

// samePlace reports whether two problems say the same of the same place.
func samePlace(a, b Problem) bool {
	return a.Line == b.Line && a.Column == b.Column && a.Reason == b.Reason
}
