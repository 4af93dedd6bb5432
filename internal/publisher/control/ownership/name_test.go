package ownership_test

import (
	"strings"
	"testing"

	"github.com/flagside/flagside/internal/publisher/control/ownership"
)

// Owners of the reserved forms tell their source, their object and their place; labels tell nothing.
func TestReservedOwners(t *testing.T) {
	t.Parallel()
	const object = "publisher:kubernetes:shop/search"
	for _, test := range []struct{ owner, followed, taken, source, namespace, name, place string }{
		{"", "", "", "", "", "", ""},
		{"shop", "", "", "shop", "", "", ""},
		{"publisher:/flags/a", "publisher:/flags/a", "", "publisher:/flags/a", "", "", "the files in /flags/a"},
		{object, "publisher:kubernetes:shop", "", "publisher:kubernetes:shop", "shop", "search", "the FeatureFlag object shop/search"},
		{"taken:" + object, "", "publisher:kubernetes:shop", "taken:" + object, "shop", "search", "the FeatureFlag object shop/search"},
		{"taken:shop", "", "", "taken:shop", "", "", "the files in shop"},
	} {
		if ownership.Followed(test.owner) != test.followed || ownership.Taken(test.owner) != test.taken || ownership.Source(test.owner) != test.source {
			t.Errorf("%q: followed %q, taken %q, source %q", test.owner, ownership.Followed(test.owner), ownership.Taken(test.owner), ownership.Source(test.owner))
		}
		if namespace, name := ownership.Object(test.owner); namespace != test.namespace || name != test.name {
			t.Errorf("%q: the object is %s/%s", test.owner, namespace, name)
		}
		if ownership.Reserved(test.owner) && ownership.Place(test.owner) != test.place {
			t.Errorf("%q is in %q", test.owner, ownership.Place(test.owner))
		}
	}
	for _, name := range []string{"publisher:/flags", object, "taken:" + object} {
		if ownership.ValidateName(name) == nil {
			t.Errorf("a person can call a source %s", name)
		}
	}
}

func TestFollowedPaths(t *testing.T) {
	t.Parallel()
	for path, good := range map[string]bool{"/flags": true, "/with a space/é": true, "flags": false, "": false, "/\x1b": false, "/\xff": false, "/" + strings.Repeat("a", 400): false} {
		name, err := ownership.FollowedPath(path)
		if (err == nil) != good || good && ownership.Followed(name) != name {
			t.Errorf("%q: %q, %v", path, name, err)
		}
	}
}
