package following

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/handwritten"
	"github.com/flagside/flagside/internal/kubernetes"
	"github.com/flagside/flagside/internal/publisher/control/ownership"
	"github.com/flagside/flagside/internal/publisher/source"
)

// lifted begins the members of a flag's metadata that become members of the flag: the definition of FeatureFlag has no room for them elsewhere.
const lifted = "flagside."

// ownMembers are those members of a flag that a FeatureFlag has itself, and whatever begins with a dollar sign.
var ownMembers = []string{"state", "variants", "defaultVariant", "targeting", "metadata"}

// versionOf returns what FeatureFlag objects say together, by their names. Their documents may refer to those of the rules.
func versionOf(namespace string, objects map[string]kubernetes.Object, rules *eval.Ruleset) *version {
	var files []string
	var contents [][]byte
	var mistakes source.Findings
	hash := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(objects)) {
		file := namespace + "/" + name
		fmt.Fprintf(hash, "%q %d\n%s\n", name, len(objects[name].Spec), objects[name].Spec)
		text, err := flagFile(objects[name].Spec)
		if err != nil {
			mistakes = append(mistakes, source.Finding{File: file, Problem: eval.Problem{Reason: err.Error()}})
			continue
		}
		files, contents = append(files, file), append(contents, text)
	}
	mistakes = append(mistakes, twice(files, contents)...)
	set := source.Parse(files, contents, rules, rules.Compatibility())
	for i := range set.Findings { // the places are in what was made of an object, which no one has seen
		set.Findings[i].Line, set.Findings[i].Column = 0, 0
	}
	set.Findings = append(mistakes, set.Findings...)
	v := &version{Set: set, digest: hex.EncodeToString(hash.Sum(nil)), marks: make(map[document.ID]string)}
	for _, d := range set.Documents {
		if file := set.FileOf(d.ID()); file != "" {
			_, name, _ := strings.Cut(file, "/")
			v.marks[d.ID()] = ownership.OfObject(ownership.FollowedNamespace(namespace), name)
		}
	}
	return v
}

// twice returns what stands in several objects, of each of them.
func twice(files []string, contents [][]byte) (found source.Findings) {
	in := make(map[document.ID][]string)
	for i, content := range contents {
		members, _ := handwritten.Members(content)
		for name, kind := range map[string]document.Kind{"flags": document.KindFlag, "$evaluators": document.KindSegment} {
			value, _ := handwritten.Find(members, name)
			list, _ := handwritten.Members(value)
			for _, m := range list {
				in[document.ID{Kind: kind, Key: m.Name}] = append(in[document.ID{Kind: kind, Key: m.Name}], files[i])
			}
		}
	}
	for _, id := range slices.SortedFunc(maps.Keys(in), document.ID.Compare) {
		all := in[id]
		for _, file := range slices.Compact(all) {
			if len(all) > 1 {
				found = append(found, source.Finding{File: file, Problem: eval.Problem{
					Kind: id.Kind, Key: id.Key, Reason: "it stands in " + strings.Join(all, " and "), Hint: "keep it in one of them",
				}})
			}
		}
	}
	return found
}

// flagFile returns what the spec of a FeatureFlag says as a flag file.
func flagFile(spec []byte) ([]byte, error) {
	var parsed struct {
		FlagSpec jsontext.Value `json:"flagSpec"`
	}
	if err := json.Unmarshal(spec, &parsed); err != nil || parsed.FlagSpec.Kind() != '{' {
		return nil, errors.New("spec.flagSpec is no object: write flags in it")
	}
	members, _ := handwritten.Members(parsed.FlagSpec)
	flags, ok := handwritten.Find(members, "flags")
	if !ok || flags.Kind() != '{' {
		return nil, errors.New("spec.flagSpec.flags is no object: write flags in it, or {} if there are none")
	}
	list, _ := handwritten.Members(flags)
	for i, flag := range list {
		body, err := lift(flag.Value)
		if err != nil {
			return nil, fmt.Errorf("flag %q: %w", flag.Name, err)
		}
		list[i].Value = body
	}
	for i := range members {
		if members[i].Name == "flags" {
			members[i].Value = handwritten.Object(list)
		}
	}
	return handwritten.Object(members), nil
}

// lift returns a flag with the members that its metadata has for it.
func lift(flag jsontext.Value) (jsontext.Value, error) {
	members, ok := handwritten.Members(flag)
	if !ok {
		return flag, nil // the evaluator says what it is
	}
	metadata, _ := handwritten.Find(members, "metadata")
	all, _ := handwritten.Members(metadata)
	var kept []handwritten.Member
	for _, m := range all {
		name, ours := strings.CutPrefix(m.Name, lifted)
		if !ours {
			kept = append(kept, m)
			continue
		}
		if slices.Contains(ownMembers, name) || strings.HasPrefix(name, "$") {
			return nil, fmt.Errorf("metadata.%s: a FeatureFlag has %s itself", m.Name, name)
		}
		if _, twice := handwritten.Find(members, name); twice {
			return nil, fmt.Errorf("metadata.%s: the flag has a member %s already", m.Name, name)
		}
		value, err := liftedValue(name, m.Value)
		if err != nil {
			return nil, fmt.Errorf("metadata.%s: %w", m.Name, err)
		}
		members = append(members, handwritten.Member{Name: name, Value: value})
	}
	if len(kept) == len(all) {
		return flag, nil
	}
	members = slices.DeleteFunc(members, func(m handwritten.Member) bool { return m.Name == "metadata" })
	if len(kept) > 0 {
		members = append(members, handwritten.Member{Name: "metadata", Value: handwritten.Object(kept)})
	}
	return handwritten.Object(members), nil
}

// liftedValue returns what a member is. Lists may be written as JSON in a string, because flagd wants metadata to have no lists.
func liftedValue(name string, value jsontext.Value) (jsontext.Value, error) {
	if name != "tags" && name != "prerequisites" || value.Kind() != '"' {
		return value, nil
	}
	text, err := jsontext.AppendUnquote(nil, value)
	if err != nil {
		return nil, err
	}
	if list := jsontext.Value(text); list.IsValid() && list.Kind() == '[' {
		return list, list.Compact()
	}
	return nil, fmt.Errorf("want a list, or a string with one in JSON such as %q", `["security"]`)
}
