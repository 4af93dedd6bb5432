package requests

import (
	"errors"
	"slices"
	"time"
)

// EventSourceVersion tells that a publisher has taken up a version of a source that it follows: from then on the environment becomes what that says,
// at whichever publisher. It changes nothing about change requests.
const EventSourceVersion EventType = "source.version"

// keptVersions is how many versions of a source are remembered.
const keptVersions = 1000

// SourceVersion is a version of a source that publishers follow.
type SourceVersion struct {
	// Name is that of the source.
	Name string `json:"name"`
	// Digest tells versions apart: SHA-256 of what the source says, in hexadecimal.
	Digest string `json:"digest"`
	// Version is what people call it, such as a commit; empty if that is not known.
	Version string `json:"version,omitzero"`
	// Order is a number that grows from version to version; 0 if the source has none.
	Order uint64 `json:"order,omitzero"`
	// At is when it was taken up. It is no part of the record, which has a time itself.
	At time.Time `json:"-"`
}

// Versions are those of one source in the order in which they were taken up, each as often as it was.
type Versions []SourceVersion

// Newest returns the version that was taken up last; zero if none was.
func (v Versions) Newest() SourceVersion {
	if len(v) == 0 {
		return SourceVersion{}
	}
	return v[len(v)-1]
}

// Has reports whether a version was taken up before.
func (v Versions) Has(digest string) bool {
	return slices.ContainsFunc(v, func(known SourceVersion) bool { return known.Digest == digest })
}

// Versions returns those of a source that are remembered. The slice is shared: do not modify it.
func (g *Governance) Versions(source string) Versions { return g.versions[source] }

func (g *Governance) takeUp(e Event) error {
	if e.Source == nil || e.Source.Name == "" || e.Source.Digest == "" {
		return errors.New("a version of a source says nothing")
	}
	taken := *e.Source
	taken.At = e.At
	list := append(slices.Clip(g.versions[taken.Name]), taken)
	g.versions[taken.Name] = list[max(0, len(list)-keptVersions):]
	return nil
}
