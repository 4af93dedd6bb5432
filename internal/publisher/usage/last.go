package usage

import (
	"cmp"
	"maps"
	"slices"
	"time"
	"unique"
)

// Bounds of what is known about last uses. What was used longest ago is forgotten first.
const (
	MaxUses    = 50_000
	maxUseText = 8 << 20 // bytes of their names
	maxClients = 1_000
)

// Use is a variant of a flag that an application got.
type Use struct {
	Flag        string `json:"f"`
	Variant     string `json:"v,omitzero"` // empty if the default of the application applied
	Application string `json:"a,omitzero"`
}

func (u Use) text() int { return len(u.Flag) + len(u.Variant) + len(u.Application) }

// Times are when something was used last, in seconds of Unix time; 0 is never.
type Times struct {
	// Asked is when the flag was asked for, and Bulk when it was among all flags, of which it is not known which ones were looked at.
	Asked int64 `json:"s,omitzero"`
	Bulk  int64 `json:"b,omitzero"`
}

func (t Times) newest() int64 { return max(t.Asked, t.Bulk) }

// Clients are those of an application that evaluate by themselves, by protocol.
type Clients struct {
	Application string `json:"a,omitzero"`
	Protocol    string `json:"p"`
}

// Last tells when flags were used last. Create it with NewLast.
type Last struct {
	Uses map[Use]Times
	// Clients has when an application last had clients that evaluate by themselves, in seconds of Unix time.
	Clients map[Clients]int64

	text int
}

// NewLast returns one that knows of no use.
func NewLast() *Last {
	return &Last{Uses: make(map[Use]Times), Clients: make(map[Clients]int64)}
}

// use notes that a flag was used at a time, and reports whether that was news.
func (l *Last) use(u Use, at time.Time, bulk bool) {
	t, seconds := l.Uses[u], at.Unix()
	if bulk {
		t.Bulk = max(t.Bulk, seconds)
	} else {
		t.Asked = max(t.Asked, seconds)
	}
	l.put(u, t)
	if len(l.Uses) > MaxUses+MaxUses/20 || l.text > maxUseText {
		l.forget()
	}
}

func (l *Last) put(u Use, t Times) {
	if _, known := l.Uses[u]; !known {
		u = Use{Flag: unique.Make(u.Flag).Value(), Variant: unique.Make(u.Variant).Value(), Application: unique.Make(u.Application).Value()}
		l.text += u.text()
	}
	l.Uses[u] = t
}

// forget forgets the oldest uses until there is some room.
func (l *Last) forget() {
	oldest := slices.SortedFunc(maps.Keys(l.Uses), func(a, b Use) int {
		return cmp.Or(cmp.Compare(l.Uses[a].newest(), l.Uses[b].newest()), compareUses(a, b))
	})
	for _, u := range oldest {
		if len(l.Uses) <= MaxUses && l.text <= maxUseText*9/10 {
			return
		}
		delete(l.Uses, u)
		l.text -= u.text()
	}
}

// clients notes that an application has clients that evaluate by themselves.
func (l *Last) clients(c Clients, at time.Time) {
	if _, known := l.Clients[c]; !known && len(l.Clients) >= maxClients {
		c.Application = OtherApplication
	}
	l.Clients[c] = max(l.Clients[c], at.Unix())
}

func compareUses(a, b Use) int {
	return cmp.Or(cmp.Compare(a.Flag, b.Flag), cmp.Compare(a.Variant, b.Variant), cmp.Compare(a.Application, b.Application))
}
