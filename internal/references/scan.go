package references

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

const (
	maxFile = 4 << 20 // what is larger was not written by people
	sniffed = 8 << 10 // a NUL byte in so much of the beginning means that a file is no text
)

// Options say what is searched, and for what. The zero value searches for nothing.
type Options struct {
	// Keys are the keys of flags.
	Keys []string
	// Patterns are regular expressions with one group, which captures a key, such as isOn\("([^"]+)"\). With them, only what they capture names a
	// flag, and a captured key that is not in Keys is unknown. Without them, each key that stands for itself names its flag.
	Patterns []string
	// Exclude are path patterns as of path.Match of files and folders to leave out: of their whole path below the folder, or of their name.
	Exclude []string
}

// Scan reads the text files of a folder, and reports where they name flags. In a git checkout it reads what git does not ignore, submodules included.
// Vendored code, links and binary files are left out. Text that cannot be read, and files above 4 MiB, are named in the report. It is an error if
// nothing is read.
func Scan(ctx context.Context, folder string, o Options) (Report, error) {
	s, err := newScanner(o)
	if err != nil {
		return Report{}, err
	}
	named := folder
	if folder, err = filepath.EvalSymlinks(folder); err != nil {
		return Report{}, err
	}
	files, left, commit, err := list(ctx, folder, o.Exclude)
	if err != nil {
		return Report{}, err
	}
	s.report.Commit, s.report.Left = commit, left
	for _, file := range files {
		if err := ctx.Err(); err != nil {
			return Report{}, context.Cause(ctx)
		}
		s.read(folder, file)
	}
	if s.report.Files == 0 {
		return Report{}, fmt.Errorf("%s has no text file that is searched: name the folder with the source code", named)
	}
	return s.report, nil
}

type scanner struct {
	words    *words
	known    map[string]bool
	patterns []*regexp.Regexp
	report   Report
}

func newScanner(o Options) (*scanner, error) {
	s := &scanner{words: newWords(o.Keys), known: map[string]bool{}, report: Report{Version: reportVersion, Time: time.Now().UTC().Truncate(time.Second), Flags: map[string]Places{}}}
	for _, key := range o.Keys {
		s.known[key] = true
		s.report.Flags[key] = Places{}
	}
	for _, text := range o.Patterns {
		pattern, err := regexp.Compile(text)
		if err != nil {
			return nil, fmt.Errorf("pattern %q: %w", text, err)
		}
		if pattern.NumSubexp() != 1 {
			return nil, fmt.Errorf("pattern %q has %d groups: write the key, and nothing else, in parentheses; (?:…) groups without capturing", text, pattern.NumSubexp())
		}
		s.patterns = append(s.patterns, pattern)
	}
	return s, nil
}

// read searches a file, or notes why it was left out.
func (s *scanner) read(folder, name string) {
	text, err := readText(filepath.Join(folder, filepath.FromSlash(name)))
	if errors.Is(err, errNoText) {
		return
	}
	if err != nil {
		s.report.Left = append(s.report.Left, Left{File: name, Reason: err.Error()})
		return
	}
	s.report.Files++
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, maxFile+1)
	for number := 1; lines.Scan(); number++ {
		s.line(lines.Text(), func(key string, at int) { s.note(key, Place{File: name, Line: number, Column: at + 1}) })
	}
}

// line calls found for each flag that a line names.
func (s *scanner) line(line string, found func(key string, at int)) {
	if len(s.patterns) == 0 {
		s.words.find(line, found)
		return
	}
	for _, pattern := range s.patterns {
		for _, at := range pattern.FindAllStringSubmatchIndex(line, -1) {
			if at[2] >= 0 {
				found(line[at[2]:at[3]], at[2])
			}
		}
	}
}

func (s *scanner) note(key string, p Place) {
	in := s.report.Flags
	if !s.known[key] {
		if s.report.Unknown == nil {
			s.report.Unknown = map[string]Places{}
		}
		in = s.report.Unknown
	}
	if !slices.Contains(in[key], p) { // by another pattern
		in[key] = append(in[key], p)
	}
}

// errNoText means that a file is binary, a link or a special file: nothing to tell.
var errNoText = errors.New("no text")

func readText(file string) ([]byte, error) {
	info, err := os.Lstat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist): // git still knows it
		return nil, errNoText
	case err != nil:
		return nil, reason(err)
	case info.IsDir():
		return nil, errors.New("it is a submodule that is not checked out")
	case !info.Mode().IsRegular():
		return nil, errNoText
	}
	f, err := os.Open(file) // #nosec G304 -- a file below the folder that the caller names
	if err != nil {
		return nil, reason(err)
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	switch {
	case err != nil:
		return nil, reason(err)
	case bytes.HasPrefix(text, []byte("\xff\xfe")) || bytes.HasPrefix(text, []byte("\xfe\xff")):
		return nil, errors.New("it is text in UTF-16, which is not read")
	case bytes.IndexByte(text[:min(len(text), sniffed)], 0) >= 0:
		return nil, errNoText
	case len(text) > maxFile:
		return nil, errors.New("it has more than 4 MiB")
	}
	return text, nil
}

// reason returns an error without the path, which stands beside it.
func reason(err error) error {
	if failed, ok := errors.AsType[*os.PathError](err); ok {
		return failed.Err
	}
	return err
}

// vendored are the names of folders with code of others, whether git knows it or not.
var vendored = map[string]bool{
	".git": true, ".hg": true, ".svn": true, "vendor": true, "node_modules": true, "third_party": true, "bower_components": true,
	".venv": true, "venv": true, "__pycache__": true,
}

// leftOut reports whether a file or folder, by its path below the folder, is none of the code that is searched.
func leftOut(path string, exclude []string) bool {
	parts := strings.Split(path, "/")
	for i, name := range parts {
		if vendored[name] && i < len(parts)-1 {
			return true
		}
		for _, pattern := range exclude {
			if matches(pattern, name) || matches(strings.TrimSuffix(pattern, "/"), strings.Join(parts[:i+1], "/")) {
				return true
			}
		}
	}
	return false
}
