package eval

import (
	"cmp"
	"slices"
	"strconv"
)

// readMetadata reads a metadata object: a flat map of strings, numbers and booleans. Members that are null are dropped.
func readMetadata(s *syntax, c Compatibility, source []byte, report func(*syntax, Problem)) []member {
	lenient := c == CompatibilityFlagd
	if s.kind != kindObject {
		if s.kind != kindNull || !lenient {
			report(s, Problem{Reason: "metadata must be an object", Hint: "write {\"name\": \"value\"}"})
		}
		return nil
	}
	var members []member
	for i, name := range s.names {
		item := &s.items[i]
		switch item.kind {
		case kindNull, kindArray, kindObject:
			report(item, Problem{Reason: "metadata must be strings, numbers and booleans", Warning: lenient})
		case kindString:
		default:
			if name == "flagSetId" {
				report(item, Problem{Reason: "flagSetId must be a string", Warning: lenient})
			}
		}
		if item.kind != kindNull {
			m := member{name: name, raw: string(encodeValue(item, source, c))}
			if item.kind == kindString {
				m.text = item.text
			}
			members = append(members, m)
		}
	}
	return members
}

// mergeMetadata returns the members of both in order of their names; those of the flag win over those of the set.
func mergeMetadata(set, flag []member) []member {
	merged := slices.Concat(set, flag)
	slices.SortStableFunc(merged, func(a, b member) int { return cmp.Compare(a.name, b.name) })
	kept := merged[:0]
	for i, m := range merged {
		if i+1 < len(merged) && merged[i+1].name == m.name {
			continue
		}
		kept = append(kept, m)
	}
	return kept
}

// withMember returns members, which are in order of their names, with one more unless there is one of this name.
func withMember(members []member, name, raw string) []member {
	i, found := slices.BinarySearchFunc(members, name, func(m member, name string) int { return cmp.Compare(m.name, name) })
	if found {
		return members
	}
	return slices.Insert(slices.Clip(members), i, member{name: name, raw: raw})
}

func findMember(members []member, name string) (member, bool) {
	for _, m := range members {
		if m.name == name {
			return m, true
		}
	}
	return member{}, false
}

// encodeMetadata returns members as a JSON object.
func encodeMetadata(members []member) []byte {
	b := []byte{'{'}
	for i, m := range members {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, m.name)
		b = append(b, ':')
		b = append(b, m.raw...)
	}
	return append(b, '}')
}

// versionMember is the member of metadata that carries the flag's revision.
const versionMember = "version"

// answerMetadata returns the metadata of all answers of a flag: set and flag merged and, outside CompatibilityFlagd, the revision as
// the version unless the documents name one themselves. A document that was not written yet has no version.
func answerMetadata(set, flag []member, revision uint64, c Compatibility) []member {
	merged := mergeMetadata(set, flag)
	if c == CompatibilityFlagd || revision == 0 {
		return merged
	}
	return withMember(merged, versionMember, strconv.FormatUint(revision, 10))
}
