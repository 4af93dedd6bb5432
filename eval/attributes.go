package eval

import (
	"maps"
	"slices"
	"strings"
)

// flagdProperties is the member that evaluation adds to every context; what a client sends under this name is ignored.
const flagdProperties = "$flagd"

// attributeTable gives every attribute that some rule reads a slot. A table that a Ruleset has published is never modified, and slots
// keep their meaning when it grows, so compiled rules stay valid across updates.
type attributeTable struct {
	root  *attribute
	slots int
}

// attribute is one step of the paths that rules read.
type attribute struct {
	slot     int // noSlot if only deeper attributes are read
	children map[string]*attribute
	filter   nameFilter // of the names of children
}

// child returns the attribute that the next member of o is, nil if no rule reads it.
func (a *attribute) child(o *openObject) *attribute {
	if !a.filter.has(o.bit) {
		return nil
	}
	return a.children[o.name]
}

const noSlot = -1

func newAttributeTable() *attributeTable {
	return &attributeTable{root: &attribute{slot: noSlot}}
}

func (t *attributeTable) clone() *attributeTable {
	c := *t
	c.root = t.root.clone()
	return &c
}

func (a *attribute) clone() *attribute {
	c := &attribute{slot: a.slot, children: maps.Clone(a.children), filter: a.filter}
	for name, child := range c.children {
		c.children[name] = child.clone()
	}
	return c
}

// lookup returns the slot of a path, or noSlot.
func (t *attributeTable) lookup(path []string) int {
	a := t.root
	for _, name := range path {
		if a = a.children[name]; a == nil {
			return noSlot
		}
	}
	return a.slot
}

// add returns the slot of a path and makes one if there is none. Only tables that no one else sees may be added to.
func (t *attributeTable) add(path []string) int {
	a := t.root
	for _, name := range path {
		next := a.children[name]
		if next == nil {
			next = &attribute{slot: noSlot}
			if a.children == nil {
				a.children = make(map[string]*attribute)
			}
			a.children[strings.Clone(name)] = next // the table outlives documents
			a.filter.add(filterBit(name))
		}
		a = next
	}
	if a.slot == noSlot {
		a.slot = t.slots
		t.slots++
	}
	return a.slot
}

// attributeWriter adds to an attributeTable, copying it before the first change.
type attributeWriter struct {
	table *attributeTable
	owned bool
}

func (w *attributeWriter) slot(path []string) int {
	if slot := w.table.lookup(path); slot != noSlot {
		return slot
	}
	w.own()
	return w.table.add(path)
}

func (w *attributeWriter) own() {
	if !w.owned {
		w.table, w.owned = w.table.clone(), true
	}
}

// splitPath splits the name of an attribute at its dots. Empty steps are skipped, as flagd does.
func splitPath(name string) []string {
	return slices.DeleteFunc(strings.Split(name, "."), func(step string) bool { return step == "" })
}

// walk follows a path into v; a path that leads nowhere is null.
func (c *Context) walk(v value, path []string) value {
	for _, name := range path {
		switch v.kind {
		case kindObject:
			if n := len(v.ref.names); n > fewNames && !c.spend(n*(1+len(name)/bytesPerNode)) {
				return failure(tooMuchWork)
			}
			v = v.member(name)
		case kindArray:
			v = element(v, name)
		default:
			return value{}
		}
	}
	return v
}

// element returns the array element that a step of a path names; a step that is no number names the first.
func element(v value, step string) value {
	i := int(parseNumber(step))
	if i < 0 || i >= len(v.ref.items) {
		return value{}
	}
	return v.ref.items[i]
}
