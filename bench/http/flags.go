//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/flagside/flagside/bench/http/load"
	"github.com/flagside/flagside/examples/flagset"
)

// The flags that are in every set, by what they do.
const (
	askStatic     = "static"
	askTargeted   = "targeted"
	askFractional = "fractional"

	fewestFlags = 4 // those, and one of the generated
	seed        = 1
)

const known = `
"static": {"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"on"},
"targeted": {"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off","targeting":{"if":[{"and":[{"in":[{"var":"country"},["CH","DE","FR"]]},{">=":[{"var":"orders"},10]}]},"on","off"]}},
"fractional": {"state":"ENABLED","variants":{"a":"a","b":"b","c":"c"},"defaultVariant":"a","targeting":{"fractional":[["a",50],["b",30],["c",20]]}},`

// someContext has 203 bytes, and attributes that the flags ask for.
const someContext = `{"targetingKey":"4711004711","email":"a.person@shop.example","country":"DE","tier":"gold","platform":"android","orders":42,` +
	`"postcode":"80331","appVersion":"7.12.3","language":"de","session":"b1f0c2d3e4"}`

const (
	flagsPath            = "/ofrep/v1/evaluate/flags"
	resolveBooleanMethod = "/flagd.evaluation.v1.Service/ResolveBoolean"
)

// flagFile returns a flagd file with so many flags, the same for the same number.
func flagFile(flags int) []byte {
	generated := flagset.Generate(flags-3, seed)
	begin := []byte(`"flags": {`)
	return bytes.Replace(generated, begin, append(begin, known...), 1)
}

// enabledFlags returns the keys of a flag file that are not disabled, those that are in every set first.
func enabledFlags(flags int) ([]string, error) {
	var file struct {
		Flags map[string]struct {
			State string `json:"state"`
		} `json:"flags"`
	}
	if err := json.Unmarshal(flagFile(flags), &file); err != nil {
		return nil, err
	}
	keys := []string{askStatic, askTargeted, askFractional}
	for i := range flags - 3 {
		if key := flagset.Key(i, seed); file.Flags[key].State == "ENABLED" {
			keys = append(keys, key)
		}
	}
	if len(keys) < flags*9/10 {
		return nil, fmt.Errorf("only %d of %d flags are enabled", len(keys), flags)
	}
	return keys, nil
}

// single asks for one flag.
func single(key string) load.Request {
	return load.HTTP("POST", flagsPath+"/"+url.PathEscape(key), `{"context":`+someContext+`}`)
}

// mixed asks for each flag that is enabled.
func mixed(flags int) ([]load.Request, error) {
	keys, err := enabledFlags(flags)
	requests := make([]load.Request, len(keys))
	for i, key := range keys {
		requests[i] = single(key)
	}
	return requests, err
}

// resolveBoolean returns a message of flagd.evaluation.v1.ResolveBooleanRequest: the key in field 1, the context in field 2.
func resolveBoolean(key string) ([]byte, error) {
	var context structpb.Struct
	if err := protojson.Unmarshal([]byte(someContext), &context); err != nil {
		return nil, err
	}
	encoded, err := proto.Marshal(&context)
	message := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), key)
	return protowire.AppendBytes(protowire.AppendTag(message, 2, protowire.BytesType), encoded), err
}

// checkAnswer says what is wrong with an answer to a request of the scenario. A server that evaluates nothing would be fast.
func (s *scenario) checkAnswer(a load.Answer) error {
	if a.Status != s.status() {
		return fmt.Errorf("want status %d, got %d: %.300s", s.status(), a.Status, a.Body)
	}
	if s.Ask == askBulkKnown || s.Protocol != overOFREP {
		return nil
	}
	var answer struct {
		Value   any    `json:"value"`
		Variant string `json:"variant"`
		Flags   []struct {
			Variant string `json:"variant"`
		} `json:"flags"`
	}
	if err := json.Unmarshal(a.Body, &answer); err != nil {
		return fmt.Errorf("%w: %.300s", err, a.Body)
	}
	if s.Ask != askBulk && s.Ask != askBulkNew {
		if answer.Variant == "" || answer.Value == nil {
			return fmt.Errorf("no value: %.300s", a.Body)
		}
		return nil
	}
	if len(answer.Flags) < s.Flags*9/10 || answer.Flags[0].Variant == "" {
		return errors.New("not all flags are in the answer")
	}
	return nil
}
