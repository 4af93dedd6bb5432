package source

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/handwritten"
	"github.com/flagside/flagside/internal/publisher/control/ownership"
)

// Set is what the files of a source say.
type Set struct {
	// Documents are the settings if a file has metadata, segments after those that they refer to, then flags. Their bodies are compact JSON without an
	// owner. They are complete if there is no mistake.
	Documents []document.Document
	// Files are the names of the files that were read, sorted.
	Files []string
	// Places are where the files are behind all links, in the order of their names.
	Places []string
	// Digest is the SHA-256 of the names and the contents of the files.
	Digest [sha256.Size]byte
	// Findings are mistakes and slips, by file and place.
	Findings Findings

	texts map[document.ID]file
}

// file is one of the files that documents stand in.
type file struct {
	name string
	text *handwritten.Text
}

// Finding returns a problem of a document with its place in the files, as far as it stands in one.
func (s *Set) Finding(p eval.Problem) Finding {
	f, ok := s.texts[p.ID()]
	if !ok {
		return Finding{File: "elsewhere", Problem: p}
	}
	pointer := "/flags/"
	if p.Kind == document.KindSegment {
		pointer = "/$evaluators/"
	}
	pointer += strings.NewReplacer("~", "~0", "/", "~1").Replace(p.Key) + p.Pointer
	p.Line, p.Column = eval.Locate(f.text.JSON(), pointer)
	line, column := f.text.At(p)
	return Finding{File: f.name, Line: line, Column: column, Problem: p}
}

// FileOf returns the name of the file that a document stands in; empty if it stands in none.
func (s *Set) FileOf(id document.ID) string { return s.texts[id].name }

// Explain says in lines what is wrong with a plan or with what it leads to, with the places in the files as far as it stands in them.
func (s *Set) Explain(detail string, problems eval.Problems) []string {
	lines := []string{detail}
	for _, p := range problems {
		if f := s.Finding(p); f.Line > 0 {
			lines = append(lines, f.Error())
		} else {
			lines = append(lines, p.Error())
		}
	}
	return lines
}

// Finding is something that is wrong with a file.
type Finding struct {
	File         string
	Line, Column int // 1-based; 0 if it has no place
	// Problem says what, of which document. Its own place means nothing here.
	Problem eval.Problem
}

// Error begins with the place, as compilers write it.
func (f Finding) Error() string {
	p := f.Problem
	p.Line, p.Column = 0, 0
	if f.Line == 0 {
		return fmt.Sprintf("%s: %v", f.File, p)
	}
	return fmt.Sprintf("%s:%d:%d: %v", f.File, f.Line, f.Column, p)
}

// Findings are what is wrong with files. They are an error whose text has one a line.
type Findings []Finding

// Error returns all findings, one a line.
func (all Findings) Error() string {
	lines := make([]string, len(all))
	for i, f := range all {
		lines[i] = f.Error()
	}
	return strings.Join(lines, "\n")
}

// Err returns the mistakes as one error, one a line; nil if there are only slips that are tolerated.
func (all Findings) Err() error {
	var mistakes []error
	for _, f := range all {
		if !f.Problem.Warning {
			mistakes = append(mistakes, f)
		}
	}
	return errors.Join(mistakes...)
}

// Names returns the files of a source: the path itself unless it is a directory, and else all files in it and below it that end with .json,
// .yaml or .yml. Those whose name, or that of their directory, begins with a dot do not belong to it.
func Names(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	switch {
	case info.Mode().IsRegular():
		return []string{path}, nil
	case !info.IsDir():
		return nil, fmt.Errorf("%s is neither a file nor a directory: write what it gives into a file first", path)
	}
	names, _, err := walk(path)
	return names, err
}

// Directories returns the directories whose files are those of a source, in the order in which they are met.
func Directories(path string) ([]string, error) {
	_, directories, err := walk(path)
	return directories, err
}

func walk(path string) (names, directories []string, err error) {
	root := filepath.Clean(path) + string(filepath.Separator) // which follows a link to a directory, as git-sync makes one
	err = filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name != root && strings.HasPrefix(entry.Name(), "."):
			if entry.IsDir() {
				return fs.SkipDir
			}
		case entry.IsDir():
			directories = append(directories, filepath.Clean(name))
		case IsFile(name):
			if info, err := os.Stat(name); err != nil || info.Mode().IsRegular() { // through links, as mounts have them
				names = append(names, name)
			}
		}
		return nil
	})
	slices.Sort(names)
	return names, directories, err
}

// IsFile reports whether a file of a directory belongs to a source by its name.
func IsFile(name string) bool {
	ending := strings.ToLower(filepath.Ext(name))
	return slices.Contains([]string{".json", ".yaml", ".yml"}, ending) && !strings.HasPrefix(filepath.Base(name), ".")
}

// Read reads the files of a source, which may refer to one another and to the documents of the rules. All are of one version where links lead to them
// that move, as those of git-sync and of mounted ConfigMaps do. The error is one of the file system; what is wrong in the files is in the set.
func Read(path string, rules *eval.Ruleset, c eval.Compatibility) (*Set, error) {
	files, err := readFiles(path)
	if err != nil {
		return nil, err
	}
	if len(files.names) == 0 {
		return nil, fmt.Errorf("%s: %w", path, ErrNoFiles)
	}
	s := Parse(files.names, files.contents, rules, c)
	s.Places, s.Digest = files.places, files.digest(path)
	return s, nil
}

// ErrNoFiles means that a directory has none of the files that a source is read from.
var ErrNoFiles = errors.New("there is no file that ends with .json, .yaml or .yml in this directory")

// Parse is Read of files that were read, without places and a digest.
func Parse(names []string, contents [][]byte, rules *eval.Ruleset, c eval.Compatibility) *Set {
	s := &Set{Files: names, texts: make(map[document.ID]file)}
	texts := make([]*handwritten.Text, len(names))
	files := make([][]byte, len(names))
	for i, name := range names {
		text, err := handwritten.Open(name, contents[i])
		if err != nil {
			s.Findings = append(s.Findings, findingOf(name, err))
			continue // its bytes stay nil, which is no JSON, so that nothing is said to be missing that may stand in it
		}
		texts[i], files[i] = text, text.JSON()
	}
	documents, from, problems := rules.ParseFiles(files, c)
	for i, text := range texts {
		for _, p := range problems[i] {
			if text != nil {
				line, column := text.At(p)
				s.Findings = append(s.Findings, Finding{File: names[i], Line: line, Column: column, Problem: p})
			}
		}
	}
	slices.SortStableFunc(s.Findings, func(a, b Finding) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	for _, d := range documents {
		s.texts[d.ID()] = file{names[from[d.ID()]], texts[from[d.ID()]]}
		d.Body = ownership.Unmarked(d.Body)
		s.Documents = append(s.Documents, d)
	}
	return s
}

// findingOf returns what keeps a file from being read.
func findingOf(name string, err error) Finding {
	if m, ok := errors.AsType[*handwritten.Mistake](err); ok {
		return Finding{File: name, Line: m.Line, Column: m.Column, Problem: eval.Problem{Reason: m.Reason}}
	}
	return Finding{File: name, Problem: eval.Problem{Reason: strings.TrimPrefix(err.Error(), name+": ")}}
}
