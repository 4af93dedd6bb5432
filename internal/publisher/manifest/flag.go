package manifest

import (
	"errors"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/flagside/flagside/eval"
)

// Flag is a flag as a manifest tells it.
type Flag struct {
	Key         string
	Type        Type
	Description string         // one line; empty if there is none
	Default     jsontext.Value // what an application uses when the flag gives it no value
}

// Of returns what a manifest tells of a flag. The error says why a manifest cannot tell it, as the end of a sentence that begins with "it".
func Of(f *eval.Flag) (Flag, error) {
	if !f.Usable() {
		return Flag{}, errors.New("cannot be evaluated as it is")
	}
	kind, err := typeOf(f.Variants())
	if err != nil {
		return Flag{}, err
	}
	told := Flag{Key: f.Key(), Type: kind, Description: line(f.Description()), Default: defaultOf(f, kind)}
	return told, told.tellable()
}

// defaultOf returns the value of the variant that stands for the flag when it decides nothing: the off variant if the flag names one, else the
// default variant. A flag that has neither leaves the answer to the application, whose default is nothing then: false, 0, or empty.
func defaultOf(f *eval.Flag, kind Type) jsontext.Value {
	switch {
	case f.OffVariant() != nil:
		return f.OffVariant().Encoded()
	case f.DefaultVariant() != nil:
		return f.DefaultVariant().Encoded()
	default:
		return kind.nothing()
	}
}

// tellable returns why generated code cannot hold the flag, or nil.
func (f Flag) tellable() error {
	if !identifier(f.Key) {
		return errors.New("has a key that cannot be a name in generated code: letters, digits, \"-\", \"_\" and \".\" can, beginning with a letter")
	}
	return literal(f.Default)
}
