package eval

import (
	"strconv"
	"strings"

	"github.com/flagside/flagside/document"
)

// settings is what the settings document says.
type settings struct {
	metadata      []member
	compatibility Compatibility
}

// readSettings reads a settings document. A nil body is the absence of settings.
func readSettings(d document.Document) (settings, Problems) {
	if d.Body == nil {
		return settings{}, nil
	}
	var problems Problems
	p, problem := parseDocument(d)
	if p == nil {
		return settings{}, Problems{*problem}
	}
	report := reporter(d, p, &problems)
	root := &p.root
	if root.kind != kindObject {
		report(root, Problem{Reason: "settings must be an object"})
		return settings{}, problems
	}
	var s settings
	if c := root.member("compatibility"); c != nil {
		s.compatibility = readCompatibility(c, report)
	}
	reportMistakes(p, s.compatibility, report)
	for i, name := range root.names {
		switch {
		case name == "compatibility", strings.HasPrefix(name, "$"), strings.HasPrefix(name, "x-"):
		case name == "metadata":
			s.metadata = readMetadata(&root.items[i], s.compatibility, p.source, report)
		default:
			report(&root.items[i], Problem{Reason: "the member " + strconv.Quote(name) + " is not known", Hint: "settings have metadata and compatibility"})
		}
	}
	return s, problems
}

func readCompatibility(s *syntax, report func(*syntax, Problem)) Compatibility {
	if s.kind == kindString && (s.text == "" || Compatibility(s.text) == CompatibilityFlagd) {
		return Compatibility(s.text)
	}
	report(s, Problem{Reason: "compatibility must be \"flagd\"", Hint: "leave it out for the strict mode"})
	return ""
}
