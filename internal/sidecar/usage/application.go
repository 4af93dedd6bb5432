package usage

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Application is an application that asks a sidecar. It means something only to the Counts that gave it. The zero value is the one that the
// sidecar is for.
type Application uint16

// otherApplication is all that there is no room for, and those with names that are none.
const otherApplication Application = 1

// OtherApplication is the name of all applications that there is no room for, and of those with names that are none.
const OtherApplication = "other"

// Bounds of applications that name themselves.
const (
	maxApplications    = 256
	maxApplicationName = 63
)

// applications gives applications by name.
type applications struct {
	byName atomic.Pointer[map[string]Application] // replaced, never modified

	mu    sync.Mutex // held while it is replaced
	names []string   // by application; guarded by mu
}

func newApplications(own string) *applications {
	a := &applications{names: []string{"", OtherApplication}}
	a.byName.Store(&map[string]Application{"": 0, own: 0})
	return a
}

// named returns the application with a name. It allocates nothing for one that is known.
func (a *applications) named(name []byte) Application {
	if known, ok := (*a.byName.Load())[string(name)]; ok {
		return known
	}
	if !validApplication(name) {
		return otherApplication
	}
	return a.add(string(name))
}

func (a *applications) add(name string) Application {
	a.mu.Lock()
	defer a.mu.Unlock()
	known := *a.byName.Load()
	if one, ok := known[name]; ok {
		return one
	}
	if len(a.names) >= maxApplications {
		return otherApplication
	}
	next := maps.Clone(known)
	one := Application(len(a.names))
	next[name] = one
	a.names = append(a.names, name)
	a.byName.Store(&next)
	return one
}

// list returns the names by application.
func (a *applications) list() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clip(a.names)
}

// ApplicationName returns the name of an application: empty for the one that the sidecar is for, OtherApplication for all that there is no room for.
func (c *Counts) ApplicationName(a Application) string {
	if c == nil {
		return ""
	}
	names := c.applications.list()
	if int(a) >= len(names) {
		return ""
	}
	return names[a]
}

// validApplication reports whether a name can stand in a report: it is one that Kubernetes takes for a label.
func validApplication(name []byte) bool {
	if len(name) > maxApplicationName {
		return false
	}
	for i, b := range name {
		letter := b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9'
		inside := i > 0 && i < len(name)-1
		if !letter && !(inside && strings.IndexByte("-_.", b) >= 0) {
			return false
		}
	}
	return true
}
