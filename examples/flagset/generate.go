package flagset

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
)

// flag is one flag definition.
type flag struct {
	Description   string         `json:"description"`
	Owner         string         `json:"owner"`
	Kind          string         `json:"kind"`
	Tags          []string       `json:"tags"`
	Prerequisites []prerequisite `json:"prerequisites,omitempty"`
	OffVariant    string         `json:"offVariant,omitempty"`
	State         string         `json:"state"`
	Variants      object         `json:"variants"`
	Default       string         `json:"defaultVariant"`
	Targeting     any            `json:"targeting,omitempty"`
	Metadata      object         `json:"metadata,omitempty"`
}

// prerequisite demands one of the variants of another flag.
type prerequisite struct {
	Flag     string   `json:"flag"`
	Variants []string `json:"variants"`
}

type (
	// object is a JSON object; its members are written in the order of their names.
	object map[string]any
	// list is a JSON array.
	list []any
)

// Generate returns a flagd flag file with n flags, one a line. The same n and seed give the same bytes, and flag i is the same in every
// file of a seed that has it; see Key.
func Generate(n int, seed uint64) []byte {
	var b bytes.Buffer
	b.WriteString(`{"$evaluators": ` + encode(segments()) + ",\n\"flags\": {")
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString("\n" + encode(Key(i, seed)) + ": " + encode(newFlag(i, seed)))
	}
	b.WriteString("\n}}\n")
	return b.Bytes()
}

// Key returns the key of flag i, counted from 0.
func Key(i int, seed uint64) string {
	return fmt.Sprintf("%s-%s-%05d", team(i, seed), shapeOf(i, seed), i)
}

// encode returns v, which the package itself made of strings, numbers, lists and objects, as JSON.
func encode(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// The independent sources of random numbers that each flag has.
const (
	shapeStream = iota
	teamStream
	bodyStream
	streams
)

// source returns a source of random numbers that depends on nothing but the flag, the seed and the stream.
func source(i int, seed uint64, stream int) *rand.Rand {
	return rand.New(rand.NewPCG(seed, uint64(i)*streams+uint64(stream)))
}

// pick returns one of the items.
func pick[T any](r *rand.Rand, items []T) T { return items[r.IntN(len(items))] }

// newFlag makes up flag i.
func newFlag(i int, seed uint64) flag {
	r := source(i, seed, bodyStream)
	shape := shapeOf(i, seed)
	f := flag{
		Description: fmt.Sprintf("Made-up flag %d with the shape %s.", i, shape),
		Owner:       team(i, seed),
		Kind:        pick(r, []string{"release", "experiment", "ops", "permission"}),
		Tags:        []string{"generated", string(shape)},
		State:       "ENABLED",
		Variants:    object{"on": true, "off": false},
		Default:     "off",
		Metadata:    object{"ticket": fmt.Sprintf("SHOP-%d", 1000+r.IntN(9000))},
	}
	if r.IntN(50) == 0 {
		f.State = "DISABLED"
	}
	shape.complete(&f, r, i, seed)
	return f
}

// team returns the owner of flag i.
func team(i int, seed uint64) string {
	return pick(source(i, seed, teamStream), []string{
		"catalogue", "checkout", "identity", "logistics", "marketing", "mobile", "payments", "search", "support",
	})
}
