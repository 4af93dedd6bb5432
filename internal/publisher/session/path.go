package session

import (
	"net/url"
	"path"
	"slices"
	"strings"
)

const (
	// Home is where the console begins.
	Home = "/console/"
	// maxPath bounds where a person is sent back to, in bytes.
	maxPath = 1 << 10
)

// localPath returns a path of the console with its query that a person asked for, and Home for everything else: whatever a browser could take for another
// place is not gone to.
func localPath(asked string) string {
	if len(asked) > maxPath || strings.ContainsFunc(asked, func(c rune) bool { return c <= ' ' || c == '\\' || c >= 0x7f }) {
		return Home
	}
	u, err := url.Parse(asked)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" || !strings.HasPrefix(u.Path, Home) || strings.Contains(u.Path, "//") {
		return Home
	}
	if clean := path.Clean(u.Path); clean != u.Path && clean+"/" != u.Path || strings.ContainsRune(u.Path, '\\') {
		return Home
	}
	if !strings.HasPrefix(asked, Home) {
		return Home
	}
	if slices.Contains(Paths(), u.Path) {
		return Home
	}
	return asked
}
