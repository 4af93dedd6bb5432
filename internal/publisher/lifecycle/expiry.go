package lifecycle

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/publisher/control/ownership"
)

// Intent is what a policy wants to become of a flag. Its zero value is nothing.
type Intent struct {
	// Action is Freeze or ProposeRemoval; empty is nothing.
	Action Action
	// Variant is what everyone is to get; empty stands for the default of the application.
	Variant string
	// Done tells that nothing is left to be done.
	Done bool
	// Blocked says why it cannot be done; empty if it can.
	Blocked string

	to *eval.Variant // what it is frozen to; nil stands for the default of the application
}

// Due reports whether something is to be done now.
func (i Intent) Due() bool { return i.Action != "" && !i.Done && i.Blocked == "" }

// Intend returns what the policy wants to become of a flag. The dependants are the keys of flags that need it.
//
// A flag is frozen by removing its targeting and making the variant its default: applications go on getting a value and a variant, whatever
// protocol they use. Prerequisites stay, because they may be controls that the flag is not to be freed from. A flag that is off stays off. One that
// a followed source owns is changed there, or the source would undo it.
func (p Policy) Intend(s Standing, dependants []string) Intent {
	intent := p.intend(s, dependants)
	if owner := ownership.Owner(s.Flag.Document()); intent.Due() && ownership.Followed(owner) != "" {
		intent.Blocked = "it belongs to " + ownership.Place(owner) + ": change it there"
	}
	return intent
}

func (p Policy) intend(s Standing, dependants []string) Intent {
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
	if intent.to = to; to != nil {
		intent.Variant = to.Name()
	}
	if !f.Enabled() {
		intent.Variant, intent.Done = "", true // what it is now, and stays
		return intent
	}
	intent.Done = len(f.Targeting()) == 0 && f.DefaultVariant() == to
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

// Merge returns the JSON Merge Patch that freezes a flag: it removes the targeting and makes the variant the default, if there is one. Members may
// be spelled with capitals where flagd's rules hold.
func (i Intent) Merge(f *eval.Flag) ([]byte, error) {
	var members map[string]jsontext.Value
	if err := json.Unmarshal(f.Document(), &members); err != nil {
		return nil, fmt.Errorf("flag %s: %w", f.Key(), err)
	}
	patch := make(map[string]jsontext.Value)
	for name := range members {
		if strings.EqualFold(name, "targeting") || i.to != nil && strings.EqualFold(name, ToDefault) {
			patch[name] = jsontext.Value("null")
		}
	}
	if i.to != nil {
		patch[ToDefault] = bytes.Clone(i.to.NameEncoded())
	}
	return json.Marshal(patch, json.Deterministic(true))
}
