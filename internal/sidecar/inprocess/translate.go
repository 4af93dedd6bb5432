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

// definition is a flag document as far as it matters to an evaluation.
type definition struct {
	State          string                     `json:"state"`
	Variants       map[string]json.RawMessage `json:"variants"`
	DefaultVariant string                     `json:"defaultVariant"`
	Targeting      json.RawMessage            `json:"targeting"`
	Prerequisites  []prerequisite             `json:"prerequisites"`
	OffVariant     string                     `json:"offVariant"`
	Salt           string                     `json:"salt"`
}

type prerequisite struct {
	Flag     string   `json:"flag"`
	Variants []string `json:"variants"`
}

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
	d, err := t.read(flag)
	if err != nil {
		return nil, err
	}
	out := translated{State: "ENABLED", Variants: d.Variants, DefaultVariant: d.DefaultVariant, Metadata: flag.Metadata()}
	if d.State == "DISABLED" {
		out.State = d.State
	} else if out.Targeting, err = t.targeting(flag, d); err != nil {
		return nil, err
	}
	if len(out.Targeting) > 0 {
		if err := t.checkNames(d); err != nil {
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

// read reads the document that a flag was compiled from. Members of ours mean nothing where flagd's rules hold.
func (t *translator) read(flag *eval.Flag) (*definition, error) {
	d := new(definition)
	if err := json.Unmarshal(flag.Document(), d); err != nil {
		return nil, refuse("no version of its document can be used")
	}
	if t.lenient {
		d.Prerequisites, d.OffVariant, d.Salt = nil, "", ""
	}
	if d.Salt == "" {
		d.Salt = flag.Key()
	}
	if strings.Trim(string(d.Targeting), "{} \t\r\n") == "" { // an empty object is no rule
		d.Targeting = nil
	}
	// A flag without a default may be one of which no version can be used.
	if !flag.Current() && (len(d.Prerequisites) > 0 || bytes.Contains(d.Targeting, []byte("$ref")) || flag.DefaultVariant() == nil) {
		return nil, refuse("its newest document cannot be used, and what the last good one depends on may be another by now")
	}
	return d, nil
}

// targeting returns the rule that answers for the flag, nil if there is none.
func (t *translator) targeting(flag *eval.Flag, d *definition) (json.RawMessage, error) {
	rule, err := t.rule(d)
	if err != nil || (rule == nil && len(d.Targeting) == 0 && len(d.Prerequisites) == 0) {
		return nil, err
	}
	if d.Salt != flag.Key() {
		if rule, err = (seeds{salt: d.Salt}).rewrite(rule); err != nil {
			return nil, err
		}
	}
	if len(d.Prerequisites) > 0 {
		met, err := t.met(d)
		if err != nil {
			return nil, err
		}
		rule = operation("if", met, rule, nameOrNull(d.OffVariant))
	}
	return encode(rule)
}

// rule returns the rule of a definition with its segments written out; nil for the result null, too.
func (t *translator) rule(d *definition) (any, error) {
	if len(d.Targeting) == 0 {
		return nil, nil
	}
	rule, err := decode(d.Targeting)
	if err != nil {
		return nil, err
	}
	return t.expand(rule)
}

// checkNames refuses names of variants that flagd's rules cannot name as they are, because they write results as JSON for HTML.
func (t *translator) checkNames(d *definition) error {
	if t.lenient {
		return nil
	}
	for name := range d.Variants {
		if !plain(name) {
			return refuse("flagd's rules cannot name the variant %q", name)
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
