// Package inprocess translates flags for providers that evaluate flags themselves, which know flagd's definitions and nothing of ours:
// segments are written out, and prerequisites and salts become part of the targeting. What cannot be said in flagd's language so that the
// answers are the same is not said at all.
package inprocess

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/flagside/flagside/eval"
)

// ErrNotTranslatable is wrapped by the errors about flags that a provider could not answer as a sidecar does.
var ErrNotTranslatable = errors.New("the flag cannot be evaluated outside the sidecar")

// maxNodes bounds how large a rule may become when its segments and prerequisites are written out.
const maxNodes = 20_000

// translated is a flag as a provider gets it. A missing default is an empty text, as flagd writes it.
type translated struct {
	State          string                     `json:"state"`
	Variants       map[string]json.RawMessage `json:"variants"`
	DefaultVariant string                     `json:"defaultVariant"`
	Targeting      json.RawMessage            `json:"targeting,omitempty"`
	Metadata       json.RawMessage            `json:"metadata"`
}

// Translate returns a flag of the rules as a definition that flagd's providers understand. Its errors wrap ErrNotTranslatable and name
// the reason. Where a prerequisite is not met, the reason of the answer is TARGETING_MATCH if the flag has an offVariant.
func Translate(rules *eval.Ruleset, flag *eval.Flag) ([]byte, error) {
	t := &translator{rules: rules, lenient: rules.Compatibility() == eval.CompatibilityFlagd}
	if err := check(flag); err != nil {
		return nil, err
	}
	out := translated{
		State: "DISABLED", Variants: make(map[string]json.RawMessage), DefaultVariant: nameOf(flag.DefaultVariant()), Metadata: flag.Metadata(),
	}
	for _, v := range flag.Variants() {
		out.Variants[v.Name()] = v.Encoded()
	}
	if !disabled(flag) {
		out.State = "ENABLED"
		var err error
		if out.Targeting, err = t.targeting(flag); err != nil {
			return nil, err
		}
	}
	if len(out.Targeting) > 0 {
		if err := t.checkNames(flag); err != nil {
			return nil, err
		}
	}
	return encode(out)
}

// Unenforced reports whether a flag demands a freshness that a provider which evaluates it itself cannot see to.
func Unenforced(flag *eval.Flag) bool {
	return flag.Freshness() != eval.FreshnessCacheFirst || flag.MaxStaleness() > 0
}

// translator translates one flag.
type translator struct {
	rules   *eval.Ruleset
	lenient bool
	nodes   int // that were written
}

func refuse(format string, arguments ...any) error {
	return fmt.Errorf("%w: %s", ErrNotTranslatable, fmt.Sprintf(format, arguments...))
}

// check refuses a flag whose answers no one else can give.
func check(flag *eval.Flag) error {
	switch {
	case !flag.Usable():
		return refuse("no version of its document can be used")
	case !flag.Current() && len(flag.References()) > 0:
		return refuse("its newest document cannot be used, and what the last good one depends on may be another by now")
	}
	return nil
}

// disabled reports whether a flag answers nothing. One that flagd's rules let be null is not enabled, and yet not disabled.
func disabled(flag *eval.Flag) bool { return flag.EvaluateDefault().Reason == eval.ReasonDisabled }

// nameOf returns the name of a variant, empty for none.
func nameOf(v *eval.Variant) string {
	if v == nil {
		return ""
	}
	return v.Name()
}

// targeting returns the rule that answers for the flag, nil if there is none.
func (t *translator) targeting(flag *eval.Flag) (json.RawMessage, error) {
	rule, err := t.rule(flag)
	if err != nil || (rule == nil && flag.Targeting() == nil && len(flag.Prerequisites()) == 0) {
		return nil, err
	}
	if flag.Salt() != flag.Key() {
		if rule, err = (seeds{salt: flag.Salt()}).rewrite(rule); err != nil {
			return nil, err
		}
	}
	if len(flag.Prerequisites()) > 0 {
		met, err := t.met(flag)
		if err != nil {
			return nil, err
		}
		rule = operation("if", met, rule, nameOrNull(nameOf(flag.OffVariant())))
	}
	return encode(rule)
}

// rule returns the rule of a flag with its segments written out; nil for the result null, too.
func (t *translator) rule(flag *eval.Flag) (any, error) {
	if flag.Targeting() == nil {
		return nil, nil
	}
	rule, err := decode(flag.Targeting())
	if err != nil {
		return nil, err
	}
	return t.expand(rule)
}

// checkNames refuses names of variants that flagd's rules cannot name as they are, because they write results as JSON for HTML.
func (t *translator) checkNames(flag *eval.Flag) error {
	if t.lenient {
		return nil
	}
	for _, v := range flag.Variants() {
		if !plain(v.Name()) {
			return refuse("flagd's rules cannot name the variant %q", v.Name())
		}
	}
	return nil
}

// plain reports whether flagd's rules can name a variant as it is written.
func plain(name string) bool {
	return !strings.ContainsFunc(name, func(r rune) bool {
		return r < ' ' || strings.ContainsRune("\"\\<>&\u2028\u2029\ufffd", r)
	})
}

func decode(data []byte) (v any, err error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return nil, refuse("its rule cannot be read")
	}
	return v, nil
}

func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, refuse("its rule cannot be written: %v", err)
	}
	return bytes.TrimSpace(b.Bytes()), nil
}
