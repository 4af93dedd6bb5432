package cli

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/publisher/client"
)

// creating is a flag that does not exist yet.
type creating struct {
	boolean                             bool
	texts, numbers, tags                []string
	byDefault, owner, kind, description string
}

func flagCreate() commandline.Invocation {
	var key string
	var n creating
	f := newForm("flag create", "Creates a flag that answers its default variant to all users, and has no rule yet. Give its values with one of --bool, "+
		"--string and --number.").inEnvironment()
	flagKind().key(f, &key)
	f.set.Bool(&n.boolean, "bool", false, "variants on (true) and off (false); off is the default")
	f.set.List(&n.texts, "string", nil, "texts, each a variant of that name; the first is the default")
	f.set.List(&n.numbers, "number", nil, "numbers, each a variant of that name; the first is the default")
	f.set.String(&n.byDefault, "default", "", "default variant")
	f.set.String(&n.owner, "owner", "", "team or person that is responsible for the flag")
	f.set.List(&n.tags, "tag", nil, "tags")
	f.set.Choice(&n.kind, "kind", "", []string{"release", "experiment", "ops", "permission"}, "what the flag is for")
	f.set.String(&n.description, "description", "", "what the flag does")
	var document jsontext.Value
	f.checks = append(f.checks, func() (err error) {
		document, err = n.document()
		return err
	})
	w := f.changes()
	return f.runs(func(ctx context.Context, s *session) error {
		c := flagKind().change(f, key, "put")
		c.command.Document = []byte(document)
		c.done = "flag " + printable(key) + " is created"
		c.hint = "flagside flag rollout " + shellWord(key) + " VARIANT=PERCENT -e " + f.environment + " gives a variant to some users"
		s.implied = true
		return w.write(ctx, s, c.on(client.Precondition{Absent: true}))
	})
}

// document returns the flag as JSON.
func (n creating) document() (jsontext.Value, error) {
	names, values, err := n.variants()
	if err != nil {
		return nil, err
	}
	byDefault := names[0]
	if n.boolean {
		byDefault = "off"
	}
	if n.byDefault != "" {
		byDefault = n.byDefault
	}
	if !slices.Contains(names, byDefault) {
		return nil, fmt.Errorf("--default %q is not one of the variants %q", byDefault, names)
	}
	members := []string{"state", "variants", "defaultVariant"}
	body := []jsontext.Value{quoted("ENABLED"), object(names, values), quoted(byDefault)}
	for _, label := range []struct{ name, text string }{{"kind", n.kind}, {"owner", n.owner}, {"description", n.description}} {
		if label.text != "" {
			members, body = append(members, label.name), append(body, quoted(label.text))
		}
	}
	if len(n.tags) > 0 {
		var tags []jsontext.Value
		for _, tag := range n.tags {
			tags = append(tags, quoted(tag))
		}
		members, body = append(members, "tags"), append(body, array(tags))
	}
	return object(members, body), nil
}

// variants returns the names and values of the variants.
func (n creating) variants() (names []string, values []jsontext.Value, err error) {
	ways := 0
	for _, given := range []bool{n.boolean, len(n.texts) > 0, len(n.numbers) > 0} {
		if given {
			ways++
		}
	}
	switch {
	case ways != 1:
		return nil, nil, fmt.Errorf("the flag has no values: give one of --bool, --string red,blue and --number 1,2")
	case n.boolean:
		return []string{"on", "off"}, []jsontext.Value{jsontext.Value("true"), jsontext.Value("false")}, nil
	case len(n.texts) > 0:
		for _, text := range n.texts {
			values = append(values, quoted(text))
		}
		return n.texts, values, distinct(n.texts)
	}
	for _, text := range n.numbers {
		value := jsontext.Value(text)
		if _, err := strconv.ParseFloat(text, 64); err != nil || !value.IsValid() {
			return nil, nil, fmt.Errorf("%q is not a JSON number such as 10 or 2.5", text)
		}
		values = append(values, value)
	}
	return n.numbers, values, distinct(n.numbers)
}

func distinct(names []string) error {
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			return fmt.Errorf("the value %q is given twice", name)
		}
	}
	return nil
}
