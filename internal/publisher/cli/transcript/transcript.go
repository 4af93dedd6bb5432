// Package transcript records what command lines print, in a form that is the same each time: whatever is made up anew in every run, such
// as revisions, ids and times, is replaced by a name for it.
//
// # Concurrency properties
//
// A Transcript belongs to one goroutine.
package transcript

import (
	"fmt"
	"regexp"
	"strings"
)

// Transcript is what was said, with names for what differs from run to run. The zero value is ready.
type Transcript struct {
	text  strings.Builder
	given []string // values and their names in turn, as for strings.NewReplacer
	names map[string]string
	count map[string]int
}

// varying are the patterns of what differs from run to run, and how its name is made: as long as what people see of it, so that columns
// stay straight.
var varying = []struct {
	pattern *regexp.Regexp
	name    string // with the number of the value; without a place for it, all values have this name
}{
	{regexp.MustCompile(`\b20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z`), "2030-01-01T00:00:00Z"},
	{regexp.MustCompile(`\bflagside_[a-z2-7]{13}_[a-z2-7]+`), "secret%d"},
	{regexp.MustCompile(`\brecord \d+ of CONTROL`), "record N of CONTROL"}, // when policies are noted there is up to the publisher
	{regexp.MustCompile(`\b\d{4} days ago`), "NNNN days ago"},
	{regexp.MustCompile(`"hint": "[a-z2-7]{4}"`), `"hint": "hint"`},
	{regexp.MustCompile(`\b[0-9a-f]{64}\b|\b[0-9a-f]{12}\b`), "hash%08d"},
	{regexp.MustCompile(`\b[0-9a-f]{32}\b|\b[0-9a-f]{8}\b`), "epoch%03d"},
	{regexp.MustCompile(`\b[A-Z2-7]{26}\b`), "op%024d"},
	{regexp.MustCompile(`\b[a-z2-7]{24}\b`), "id%022d"},
}

// shown is how many characters of a value tell it apart: hashes and epochs are often shortened.
const shown = 8

// Name makes a value be called by a name of the caller's choice, also where it was added already.
func (t *Transcript) Name(value, name string) { t.given = append(t.given, value, name) }

// Write adds what was printed. The error is always nil.
func (t *Transcript) Write(text []byte) (int, error) { return t.text.Write(text) }

// Add adds formatted text.
func (t *Transcript) Add(format string, values ...any) { fmt.Fprintf(&t.text, format, values...) }

// Stable returns text with names for what differs from run to run.
func (t *Transcript) Stable(text string) string {
	text = strings.NewReplacer(t.given...).Replace(text)
	for _, v := range varying {
		text = v.pattern.ReplaceAllStringFunc(text, func(value string) string { return t.nameOf(v.name, value) })
	}
	return text
}

func (t *Transcript) nameOf(format, value string) string {
	if !strings.Contains(format, "%") {
		return format
	}
	if t.names == nil {
		t.names, t.count = make(map[string]string), make(map[string]int)
	}
	value = value[:min(len(value), shown)]
	if t.names[value] == "" {
		t.count[format]++
		t.names[value] = fmt.Sprintf(format, t.count[format])
	}
	return t.names[value]
}

// Forget drops what was added. Names stay.
func (t *Transcript) Forget() { t.text.Reset() }

// String returns everything that was added, with names for what differs from run to run.
func (t *Transcript) String() string { return t.Stable(t.text.String()) }
