package references

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// reportVersion is the version of the format of reports.
const reportVersion = 1

// Report says where flags are named. Places are in the order of files and lines.
type Report struct {
	Version int               `json:"version"`
	Time    time.Time         `json:"time"`             // when the files were read
	Commit  string            `json:"commit,omitempty"` // that was checked out, if the folder is a git checkout
	Files   int               `json:"files"`            // how many were read
	Flags   map[string]Places `json:"flags"`            // by key; a key without places is one that was looked for and not found
	Unknown map[string]Places `json:"unknown,omitempty"`
	Left    []Left            `json:"leftOut,omitempty"`
}

// Place is where a flag is named.
type Place struct {
	File   string `json:"file"`   // below the folder, with slashes
	Line   int    `json:"line"`   // from 1
	Column int    `json:"column"` // in bytes, from 1
}

// String returns the place as compilers write it.
func (p Place) String() string { return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column) }

// Places are where one flag is named.
type Places []Place

// Files returns how many files name the flag.
func (p Places) Files() int {
	files := map[string]struct{}{}
	for _, place := range p {
		files[place.File] = struct{}{}
	}
	return len(files)
}

// Left is a file that was not read, and why.
type Left struct {
	File   string `json:"file"`
	Reason string `json:"reason"`
}

// Encode returns the report as a file, which [ReadReport] reads. The same findings give the same bytes but for the time.
func (r Report) Encode() ([]byte, error) {
	text, err := json.Marshal(r, json.Deterministic(true), jsontext.WithIndent("  "))
	return append(text, '\n'), err
}

// ReadReport reads a report that was written by [Report.Encode].
func ReadReport(file string) (Report, error) {
	text, err := os.ReadFile(file) // #nosec G304 -- a file that the caller names
	if err != nil {
		return Report{}, err
	}
	r, err := decode(text)
	if err != nil {
		return Report{}, fmt.Errorf("%s is no report of flag references: %w; write it with flagside refs scan", file, err)
	}
	return r, nil
}

func decode(text []byte) (r Report, err error) {
	if err := json.UnmarshalRead(bytes.NewReader(text), &r); err != nil {
		return Report{}, err
	}
	if r.Version != reportVersion {
		return Report{}, fmt.Errorf("its version is %d, and this program reads %d", r.Version, reportVersion)
	}
	if r.Flags == nil {
		return Report{}, errors.New("it names no flags")
	}
	return r, nil
}

// Of returns where a flag is named, and whether it was looked for.
func (r Report) Of(key string) (places Places, looked bool) {
	places, looked = r.Flags[key]
	return slices.Clone(places), looked
}
