package eval

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// maxEvaluations bounds how many flags the evaluation of one flag may evaluate through its prerequisites.
const maxEvaluations = 1000

// failedPrerequisiteMember is the member of metadata that names the prerequisite which decided an answer.
const failedPrerequisiteMember = "failedPrerequisite"

// link connects the planned flags to their prerequisites, which are looked up in the set as it will be.
func (u *update) link() {
	keys := slices.Sorted(maps.Keys(u.plans))
	u.refuseCycles(keys)
	for _, key := range keys {
		u.linkFlag(key)
	}
	for _, key := range keys {
		u.report[flagID(key)] = u.plans[key].problems
	}
}

// refuseCycles reports every planned flag that is its own prerequisite, directly or not. A cycle always goes through a flag that
// changed, so all of its members are planned.
func (u *update) refuseCycles(keys []string) {
	done := make(map[string]bool)
	var path []string
	var visit func(key string)
	visit = func(key string) {
		p := u.plans[key]
		if p == nil || done[key] {
			return
		}
		if i := slices.Index(path, key); i >= 0 {
			u.refuseCycle(path[i:])
			return
		}
		path = append(path, key)
		for _, reference := range p.references {
			visit(reference.Flag)
		}
		path = path[:len(path)-1]
		done[key] = true
	}
	for _, key := range keys {
		visit(key)
	}
}

// refuseCycle reports the members of one cycle, each with the path from itself to itself.
func (u *update) refuseCycle(cycle []string) {
	for i, key := range cycle {
		next := cycle[(i+1)%len(cycle)]
		path := strings.Join(slices.Concat(cycle[i:], cycle[:i], cycle[i:i+1]), " -> ")
		for _, reference := range u.plans[key].references {
			if reference.Flag == next {
				u.plans[key].report(reference.at, Problem{Reason: "the prerequisites form a cycle: " + path, Hint: "remove one of them"})
				break
			}
		}
	}
}

// linkFlag finishes one planned flag after those that it refers to.
func (u *update) linkFlag(key string) {
	p := u.plans[key]
	if p == nil || p.entered {
		return
	}
	p.entered = true
	for _, reference := range p.references {
		u.linkFlag(reference.Flag)
	}
	if p.candidate != nil {
		u.linkPrerequisites(p)
	}
	if p.problems.Err() != nil {
		u.flags[key] = u.fallback(p)
		return
	}
	if p.candidate.settled.Reason != ReasonDisabled {
		p.candidate.settle()
	}
	u.flags[key] = p.candidate
}

// current returns a flag of the set as it will be. finished is false for a flag that link has not got to yet.
func (u *update) current(key string) (f *Flag, finished bool) {
	if f, ok := u.flags[key]; ok {
		return f, true
	}
	if u.plans[key] != nil {
		return nil, false
	}
	return u.before.flags.get(key), true
}

// linkPrerequisites connects a candidate, or reports why that cannot be done.
func (u *update) linkPrerequisites(p *plan) {
	f := p.candidate
	f.cost = 1
	sum := workOf(f.rule)
	defer func() { f.bound(u.next.limit, sum) }()
	for _, reference := range p.references {
		target, finished := u.current(reference.Flag)
		if !finished {
			continue // A cycle, which is reported already.
		}
		if target == nil {
			p.report(reference.at, Problem{Reason: "the flag " + strconv.Quote(reference.Flag) + " does not exist", Hint: "define it, or remove the prerequisite"})
			continue
		}
		linked := prerequisite{flag: target}
		linked.metadata = encodeMetadata(withMember(p.metadata, failedPrerequisiteMember, string(appendString(nil, reference.Flag))))
		for _, name := range reference.Variants {
			switch v := target.variants.named(name); {
			case v != nil:
				linked.variants = append(linked.variants, v)
			case !target.broken:
				p.report(reference.at, Problem{
					Reason: "the flag " + strconv.Quote(reference.Flag) + " has no variant " + strconv.Quote(name),
					Hint:   "its variants are " + target.variants.names(),
				})
			}
		}
		f.prerequisites = append(f.prerequisites, linked)
		f.closure = f.closure.with(target.closure)
		f.urgent = f.urgent || target.urgent
		f.cost += target.cost
		sum = sum.plus(linked.work())
		if sum.total > u.next.limit && f.compatibility != CompatibilityFlagd {
			p.report(reference.at, Problem{
				Reason: "the flag and its prerequisites may visit " + atMost(sum.total) + " nodes, more than the " +
					strconv.Itoa(u.next.limit) + " that one evaluation may visit",
				Hint: "shorten the chain or its rules, or raise --max-evaluation-work in publishers and sidecars",
			})
			return
		}
		if f.cost > maxEvaluations {
			p.report(reference.at, Problem{Reason: "the prerequisites evaluate more than " + strconv.Itoa(maxEvaluations) + " flags", Hint: "shorten the chain"})
			return
		}
	}
}

// relink connects the copy of a last good version to the newest versions of its prerequisites, as far as they are finished and still
// have the variants. What cannot be connected stays with the version that it knew.
func (u *update) relink(f *Flag) {
	f.prerequisites = slices.Clone(f.prerequisites)
	f.closure = f.own
	f.urgent = f.Kind() == kindOps
	for i := range f.prerequisites {
		p, declared := &f.prerequisites[i], f.declared.prerequisites[i]
		u.linkFlag(declared.Flag)
		target, finished := u.current(declared.Flag)
		if finished && target != nil && !target.broken {
			p.follow(target, declared.Variants)
		}
		f.closure = f.closure.with(p.flag.closure)
		f.urgent = f.urgent || p.flag.urgent
	}
	f.settled.Flag = f
}

// follow connects p to another version of its flag, if that still has the variants.
func (p *prerequisite) follow(target *Flag, names []string) {
	variants := make([]*Variant, len(names))
	for i, name := range names {
		variants[i] = target.variants.named(name)
	}
	if !slices.Contains(variants, nil) {
		p.flag, p.variants = target, variants
	}
}
