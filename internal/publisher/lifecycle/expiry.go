package lifecycle

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/flagside/flagside/eval"
)

// Intent is what a policy wants to become of a flag. Its zero value is nothing.
type Intent struct {
	// Action is Freeze or ProposeRemoval; empty is nothing.
	Action Action
	// Variant is what everyone is to get; empty stands for the default of the application.
	Variant string
	// Merge is the JSON Merge Patch that freezes the flag.
	Merge []byte
	// Done tells that nothing is left to be done.
	Done bool
	// Blocked says why it cannot be done; empty if it can.
	Blocked string
}

// Due reports whether something is to be done now.
func (i Intent) Due() bool { return i.Action != "" && !i.Done && i.Blocked == "" }

// Intend returns what the policy wants to become of a flag. The dependants are the keys of flags that need it.
//
// A flag is frozen by removing its targeting and making the variant its default: applications go on getting a value and a variant, whatever
// protocol they use. Prerequisites stay, because they may be controls that the flag is not to be freed from. A flag that is off stays off.
func (p Policy) Intend(s Standing, dependants []string) Intent {
	rule := p.OnExpiry[s.Flag.Kind()]
	switch {
	case s.Stage != Expired || s.Flag.Kind() == "ops":
		return Intent{}
	case rule.Action == Freeze:
		return rule.freeze(s.Flag)
	case rule.Action == ProposeRemoval && len(dependants) > 0:
		return Intent{Action: ProposeRemoval, Blocked: "other flags need it: " + few(dependants)}
	case rule.Action == ProposeRemoval:
		return Intent{Action: ProposeRemoval}
	default:
		return Intent{}
	}
}

// Dependants returns the keys of the flags that have each flag as a prerequisite, by its key.
func Dependants(flags []*eval.Flag) map[string][]string {
	all := make(map[string][]string)
	for _, f := range flags {
		for _, p := range f.Prerequisites() {
			all[p.Flag] = append(all[p.Flag], f.Key())
		}
	}
	return all
}

// few names some keys.
func few(keys []string) string {
	const most = 3
	if len(keys) <= most {
		return strings.Join(keys, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(keys[:most], ", "), len(keys)-most)
}

func (o OnExpiry) freeze(f *eval.Flag) Intent {
	intent := Intent{Action: Freeze}
	if !f.Usable() {
		intent.Blocked = "its document cannot be evaluated"
		return intent
	}
	to, blocked := o.variant(f)
	if intent.Blocked = blocked; blocked != "" {
		return intent
	}
	if to != nil {
		intent.Variant = to.Name()
	}
	if !f.Enabled() {
		intent.Variant, _ = named(f.OffVariant())
		intent.Done = true
		return intent
	}
	if len(f.Targeting()) == 0 && f.DefaultVariant() == to {
		intent.Done = true
		return intent
	}
	var err error
	if intent.Merge, err = frozen(f.Document(), to); err != nil {
		intent.Blocked = "its document cannot be changed: " + err.Error()
	}
	return intent
}

// variant returns what a flag is frozen to, nil for the default of the application, or why it cannot be.
func (o OnExpiry) variant(f *eval.Flag) (to *eval.Variant, blocked string) {
	switch o.FreezeTo {
	case "", ToDefault:
		return f.DefaultVariant(), ""
	case ToOff:
		if f.OffVariant() == nil {
			return nil, "it has no offVariant to be frozen to"
		}
		return f.OffVariant(), ""
	}
	if to = f.Variant(o.FreezeTo); to == nil {
		return nil, fmt.Sprintf("it has no variant %q to be frozen to", o.FreezeTo)
	}
	return to, ""
}

// frozen returns the patch that removes the targeting of a document and makes a variant its default; nil leaves the default as it is. Members may
// be spelled with capitals where flagd's rules hold.
func frozen(body []byte, to *eval.Variant) ([]byte, error) {
	patch := make(map[string]jsontext.Value)
	var members map[string]jsontext.Value
	if err := json.Unmarshal(body, &members); err != nil {
		return nil, err
	}
	for name := range members {
		if strings.EqualFold(name, "targeting") || to != nil && strings.EqualFold(name, ToDefault) {
			patch[name] = jsontext.Value("null")
		}
	}
	if to != nil {
		patch[ToDefault] = bytes.Clone(to.NameEncoded())
	}
	return json.Marshal(patch, json.Deterministic(true))
}
