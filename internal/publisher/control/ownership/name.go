package ownership

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxName is how many bytes the name has at most that a person gives to a source.
const MaxName = 100

// MaxFollowed is how many bytes an owner of a reserved form has at most: a namespace and an object of Kubernetes have 316.
const MaxFollowed = 400

// The reserved forms.
const (
	// followed begins the names of sources that publishers follow themselves.
	followed = "publisher:"
	// kubernetes follows it where the source is the objects of a namespace: the rest is NAMESPACE, or NAMESPACE/OBJECT for what stands in one.
	kubernetes = followed + "kubernetes:"
	// taken begins the owner of a document that was taken out of the hands of the source whose owner follows.
	taken = "taken:"
)

// ValidateName reports why a person cannot give a name to a source.
func ValidateName(name string) error {
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:@"
	switch {
	case name == "" || len(name) > MaxName || strings.Trim(name, allowed) != "":
		return fmt.Errorf("the name of a source is 1 to %d letters, digits and -_./:@, such as github.com/acme/flags, not %q", MaxName, name)
	case strings.HasPrefix(name, followed) || strings.HasPrefix(name, taken):
		return fmt.Errorf("the name %q begins as those of sources that publishers follow themselves: choose one that does not begin with %s or %s",
			name, followed, taken)
	}
	return nil
}

// FollowedPath returns the name of a source that is a path which publishers follow, or why it cannot have one.
func FollowedPath(path string) (string, error) {
	name := followed + path
	if !strings.HasPrefix(path, "/") || len(name) > MaxFollowed || !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) {
		return "", fmt.Errorf("the path %q of a source must begin with /, and have at most %d bytes of printable text", path, MaxFollowed-len(followed))
	}
	return name, nil
}

// FollowedNamespace returns the name of a source that is the objects of a namespace.
func FollowedNamespace(namespace string) string { return kubernetes + namespace }

// OfObject returns the owner of documents that stand in an object of a source that is a namespace.
func OfObject(source, object string) string { return source + "/" + object }

// Followed returns the source that an owner names if publishers follow it; empty otherwise, as for documents that were taken.
func Followed(owner string) string {
	if !strings.HasPrefix(owner, followed) {
		return ""
	}
	return Source(owner)
}

// Taken returns the source out of whose hands an owner says that the document was taken; empty if it says nothing like that.
func Taken(owner string) string {
	from, ok := strings.CutPrefix(owner, taken)
	if !ok {
		return ""
	}
	return Followed(from)
}

// Take returns the owner of a document that is taken out of the hands of one.
func Take(owner string) string { return taken + owner }

// Reserved reports whether an owner has one of the reserved forms, whatever follows.
func Reserved(owner string) bool {
	return strings.HasPrefix(owner, followed) || strings.HasPrefix(owner, taken)
}

// Source returns the source that an owner belongs to: the owner itself, but for the objects of Kubernetes, whose source is their namespace.
func Source(owner string) string {
	if rest, ok := strings.CutPrefix(owner, kubernetes); ok {
		namespace, _, _ := strings.Cut(rest, "/")
		return kubernetes + namespace
	}
	return owner
}

// Object returns the namespace and the name of the object of Kubernetes that an owner names; empty if it names none.
func Object(owner string) (namespace, name string) {
	rest, ok := strings.CutPrefix(strings.TrimPrefix(owner, taken), kubernetes)
	if !ok {
		return "", ""
	}
	namespace, name, _ = strings.Cut(rest, "/")
	return namespace, name
}

// Place says where what an owner of a reserved form owns is changed, for people.
func Place(owner string) string {
	owner = strings.TrimPrefix(owner, taken)
	switch namespace, name := Object(owner); {
	case name != "":
		return fmt.Sprintf("the FeatureFlag object %s/%s", namespace, name)
	case namespace != "":
		return fmt.Sprintf("the FeatureFlag objects in the namespace %s", namespace)
	}
	return "the files in " + strings.TrimPrefix(owner, followed)
}
