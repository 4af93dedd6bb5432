package manifest

import (
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/flagside/flagside/eval"
)

// single is the name of the variant of a flag that a manifest has created, unless it is a boolean.
const single = "default"

// Validate returns why a flag cannot be written, or nil: what is written must be told again as it was said, or a comparison would find a
// difference for ever. A flag without a default value is valid.
func (f Flag) Validate() error {
	if line(f.Description) != f.Description {
		return errors.New("the description becomes a comment in generated code: write it in one line, without backslashes, \"*/\" and " +
			"invisible characters")
	}
	if f.Default == nil {
		return nil
	}
	if _, err := f.Type.written(f.Default); err != nil {
		return fmt.Errorf("flag %q: %w", f.Key, err)
	}
	if err := f.tellable(); err != nil {
		return fmt.Errorf("a manifest would leave out flag %q again: it %w", f.Key, err)
	}
	return nil
}

// Document returns the document of a new flag, which must be valid and have a default value. It is enabled, without targeting. A boolean has the
// variants on and off, any other one variant.
func (f Flag) Document() ([]byte, error) {
	value, err := f.Type.written(f.Default)
	if err != nil {
		return nil, err
	}
	d := struct {
		Description string                    `json:"description,omitempty"`
		State       string                    `json:"state"`
		Variants    map[string]jsontext.Value `json:"variants"`
		Default     string                    `json:"defaultVariant"`
	}{f.Description, "ENABLED", map[string]jsontext.Value{single: value}, single}
	if f.Type == Boolean {
		d.Variants = map[string]jsontext.Value{"on": jsontext.Value("true"), "off": jsontext.Value("false")}
		d.Default = map[byte]string{'t': "on", 'f': "off"}[byte(value.Kind())]
	}
	return json.Marshal(d, json.Deterministic(true))
}

// Change returns the merge patch that makes a live flag what is wanted of it, empty if it is that already. The wanted flag must be valid; without
// a default value, that of the live flag stays. The error says why a
// manifest cannot change the flag so.
//
// Targeting, prerequisites and all other members stay, and so do the names of variants. A new default value is another variant of the flag, or
// the new value of its only one.
func Change(live *eval.Flag, wanted Flag) ([]byte, error) {
	told, err := Of(live)
	if err != nil {
		return nil, fmt.Errorf("flag %q is not in the manifest: it %w", live.Key(), err)
	}
	if wanted.Type != told.Type {
		return nil, fmt.Errorf("the type of flag %q is %s and cannot become %s: create another flag", live.Key(), told.Type, wanted.Type)
	}
	patch := make(map[string]any)
	switch wanted.Description {
	case told.Description:
	case "":
		patch["description"] = nil
	default:
		patch["description"] = wanted.Description
	}
	if wanted.Default != nil {
		if err := changeDefault(patch, live, told, wanted.Default); err != nil {
			return nil, err
		}
	}
	if len(patch) == 0 {
		return nil, nil
	}
	return json.Marshal(patch, json.Deterministic(true))
}

// changeDefault adds to a patch what makes a value the default of a flag.
func changeDefault(patch map[string]any, live *eval.Flag, told Flag, wanted jsontext.Value) error {
	value, err := told.Type.written(wanted)
	switch {
	case err != nil:
		return fmt.Errorf("flag %q: %w", live.Key(), err)
	case same(value, told.Default):
		return nil
	case live.OffVariant() == nil && live.DefaultVariant() == nil:
		return fmt.Errorf("flag %q has no default variant, so applications decide: give it one with flagside flag edit", live.Key())
	}
	member := "defaultVariant"
	if live.OffVariant() != nil {
		member = "offVariant"
	}
	for _, v := range live.Variants() {
		if same(v.Encoded(), value) {
			patch[member] = v.Name()
			return nil
		}
	}
	if len(live.Variants()) > 1 {
		return fmt.Errorf("no variant of flag %q has the value %s: add one with flagside flag edit", live.Key(), value)
	}
	only := live.Variants()[0]
	changed, err := replacing(only.Encoded(), value)
	patch["variants"] = map[string]any{only.Name(): changed}
	return err
}

// replacing returns the merge patch that makes one value another, in which there is no null.
func replacing(from, to jsontext.Value) (jsontext.Value, error) {
	if from.Kind() != '{' || to.Kind() != '{' {
		return to, nil
	}
	var before, patch map[string]jsontext.Value
	if err := json.Unmarshal(from, &before); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(to, &patch); err != nil {
		return nil, err
	}
	for name, value := range before {
		next, stays := patch[name]
		if !stays {
			patch[name] = jsontext.Value("null")
			continue
		}
		var err error
		if patch[name], err = replacing(value, next); err != nil {
			return nil, err
		}
	}
	return json.Marshal(patch, json.Deterministic(true))
}
